//! The size prefix of a frame: a signed 32-bit number of the bytes behind it, big-endian
//! (<https://kafka.apache.org/protocol#protocol_common>). What a size may be, and what a peer that does not speak Kafka
//! sends in its place.

use thiserror::Error;

/// Bytes of the size prefix.
pub const SIZE_LEN: usize = 4;

/// Bytes from the start of a request frame to the end of its correlation id: size, API key, version,
/// correlation id. With these a request can be judged.
pub const REQUEST_HEAD_LEN: usize = SIZE_LEN + 8;

/// Bytes from the start of a response frame to the end of its correlation id.
pub const RESPONSE_HEAD_LEN: usize = SIZE_LEN + 4;

/// The smallest request: key, version, correlation id and a null client id (request header v1).
pub const MIN_REQUEST: u32 = 10;

/// The smallest response: a correlation id.
pub const MIN_RESPONSE: u32 = 4;

/// Why four bytes are no size prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadSize {
    /// The size is below 0.
    #[error("frame size {0} is negative")]
    Negative(i32),
    /// The size is below that of the smallest frame.
    #[error("frame size {size} is below the minimum of {min}")]
    TooSmall {
        /// The size in bytes.
        size: u32,
        /// The smallest size in bytes.
        min: u32,
    },
    /// The size is above `network.maxFrameSize`.
    #[error("frame size {size} is above the limit of {max}")]
    TooLarge {
        /// The size in bytes.
        size: u32,
        /// The largest size in bytes.
        max: u32,
    },
    /// The bytes begin a TLS record.
    #[error("the peer speaks TLS on a plaintext connection")]
    Tls,
    /// The bytes begin an HTTP request or response.
    #[error("the peer speaks HTTP, not Kafka")]
    Http,
    /// The bytes begin a PROXY protocol header.
    #[error("the peer sent a PROXY protocol header, which is not enabled here")]
    ProxyHeader,
}

/// Reads the size prefix of a frame, in bytes without the prefix, and checks it against the smallest and largest size.
///
/// A prefix above `max` is compared with other protocols: the first bytes of a TLS record, of HTTP and of a PROXY header
/// all are sizes of hundreds of megabytes, and naming the protocol saves an operator an evening.
///
/// # Errors
/// [`BadSize`] says what is wrong with it.
#[inline]
pub fn size(prefix: [u8; SIZE_LEN], min: u32, max: u32) -> Result<u32, BadSize> {
    let signed = i32::from_be_bytes(prefix);
    let Ok(size) = u32::try_from(signed) else {
        return Err(BadSize::Negative(signed));
    };
    if size > max {
        return Err(foreign(prefix).unwrap_or(BadSize::TooLarge { size, max }));
    }
    if size < min {
        return Err(BadSize::TooSmall { size, min });
    }
    Ok(size)
}

/// The other protocol that begins with these four bytes.
fn foreign(first: [u8; SIZE_LEN]) -> Option<BadSize> {
    match &first {
        // ContentType handshake (22) or alert (21), then the legacy record version 3.x (RFC 8446 §5.1).
        [0x15 | 0x16, 3, 0..=4, _] => Some(BadSize::Tls),
        b"GET " | b"POST" | b"PUT " | b"HEAD" | b"DELE" | b"OPTI" | b"PATC" | b"CONN" | b"TRAC" | b"HTTP"
        | b"PRI " => Some(BadSize::Http),
        b"PROX" | b"\r\n\r\n" => Some(BadSize::ProxyHeader),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u32 = 100 << 20;

    #[test]
    fn sizes_are_judged_before_they_are_believed() {
        let read = |n: i32| size(n.to_be_bytes(), MIN_REQUEST, MAX);
        assert_eq!(read(-1), Err(BadSize::Negative(-1)));
        assert_eq!(read(0), Err(BadSize::TooSmall { size: 0, min: 10 }));
        assert_eq!(read(3), Err(BadSize::TooSmall { size: 3, min: 10 }));
        assert_eq!(read(10), Ok(10));
        assert_eq!(read(100 << 20), Ok(100 << 20));
        assert_eq!(
            read((100 << 20) + 1),
            Err(BadSize::TooLarge {
                size: (100 << 20) + 1,
                max: MAX
            })
        );
        assert_eq!(
            read(i32::MAX),
            Err(BadSize::TooLarge {
                size: 0x7fff_ffff,
                max: MAX
            })
        );
    }

    #[test]
    fn other_protocols_are_named() {
        let read = |bytes: &[u8; 4]| size(*bytes, MIN_REQUEST, MAX);
        assert_eq!(read(&[0x16, 3, 1, 2]), Err(BadSize::Tls));
        assert_eq!(read(&[0x15, 3, 3, 0]), Err(BadSize::Tls));
        assert_eq!(read(b"GET "), Err(BadSize::Http));
        assert_eq!(read(b"HTTP"), Err(BadSize::Http));
        assert_eq!(read(b"PROX"), Err(BadSize::ProxyHeader));
        assert_eq!(read(b"\r\n\r\n"), Err(BadSize::ProxyHeader));
    }
}
