//! PROXY protocol headers, read and written.
//!
//! 1. The examples of HAProxy's specification are read, those of every family and command, and nothing is taken of
//!    the bytes behind them.
//! 2. What cannot become a header is known by its first byte that does not fit.
//! 3. LOCAL, UNKNOWN, UNSPEC, AF_UNIX and datagrams leave the address to the socket.
//! 4. The checksum is verified; sizes are bounded; numbers are plain.
//! 5. What is written is read back as it was, in both versions and for every pair of families.

use std::net::{IpAddr, SocketAddr};

use kproxy::wire::proxy_protocol::{
    Addresses, Extras, MAX_V1, MAX_V2, Parsed, ProxiedTls, ProxyHeader, ProxyHeaderError, TlsExtras, Version,
    encode, encode_local, parse,
};
use proptest::prelude::*;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn v2(command: u8, family: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &len, &content].concat()
}

fn header(bytes: &[u8]) -> ProxyHeader {
    let followed = [bytes, b"\0\0\0\x10"].concat();
    match parse(&followed).unwrap() {
        Parsed::Header { len, header } => {
            assert_eq!(len, bytes.len());
            header
        }
        other => panic!("{other:?}"),
    }
}

fn addresses(source: &str, destination: &str) -> Option<Addresses> {
    Some(Addresses {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    })
}

fn invalid(bytes: &[u8]) -> &'static str {
    match parse(bytes) {
        Err(ProxyHeaderError::InvalidHeader(why)) => why,
        other => panic!("{} is {other:?}", bytes.escape_ascii()),
    }
}

const ENDS: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 2, 0xc3, 0x50, 0x23, 0x84];

/// The longest lines that the specification shows (§2.1).
#[test]
fn the_lines_of_the_specification_are_read() {
    let longest_v4 = b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n";
    assert_eq!(longest_v4.len(), 56);
    let everyone = "255.255.255.255:65535";
    assert_eq!(header(longest_v4).addresses, addresses(everyone, everyone));
    let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    let longest_v6 = format!("PROXY TCP6 {full} {full} 65535 65535\r\n");
    assert_eq!(longest_v6.len(), 104);
    let end = format!("[{full}]:65535");
    assert_eq!(header(longest_v6.as_bytes()).addresses, addresses(&end, &end));
    let worst = format!("PROXY UNKNOWN {full} {full} 65535 65535\r\n");
    assert_eq!(worst.len(), MAX_V1);
    let unknown = header(worst.as_bytes());
    assert_eq!((unknown.version, unknown.addresses), (Version::V1, None));
    assert_eq!(header(b"PROXY UNKNOWN\r\n").addresses, None);
    let usual = header(b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
    assert_eq!(
        usual.addresses,
        addresses("192.168.0.1:56324", "192.168.0.11:443")
    );
}

#[test]
fn blocks_of_every_family_are_read() {
    let ends = addresses("192.0.2.1:50000", "198.51.100.2:9092");
    let four = header(&v2(0x21, 0x11, &[ENDS]));
    assert_eq!((four.version, four.addresses), (Version::V2, ends));
    let six: IpAddr = "2001:db8::7".parse().unwrap();
    let IpAddr::V6(octets) = six else { panic!("{six}") };
    let block = v2(0x21, 0x21, &[&octets.octets(), &octets.octets(), &[0, 1, 0, 2]]);
    assert_eq!(
        header(&block).addresses,
        addresses("[2001:db8::7]:1", "[2001:db8::7]:2")
    );
    for (command, family, content) in [
        (0x20, 0x00, &[][..]),
        (0x20, 0x11, ENDS),
        // What LOCAL brings is discarded whatever it is.
        (0x20, 0x21, ENDS),
        (0x20, 0x77, b"\x01\x02"),
        (0x20, 0x00, b"\x02\xff\xff"),
        (0x21, 0x00, &[]),
        (0x21, 0x12, ENDS),
        (0x21, 0x31, &[b'/'; 216]),
    ] {
        let read = header(&v2(command, family, &[content]));
        assert_eq!(read.addresses, None, "{command:x} {family:x}");
        assert_eq!(read.authority, None);
    }
}

#[test]
fn fields_are_read() {
    let block = v2(
        0x21,
        0x11,
        &[
            ENDS,
            b"\x01\x00\x02h2",
            b"\x02\x00\x09a.example",
            b"\x02\x00\x09b.example",
            b"\x04\x00\x03\0\0\0",
            b"\x05\x00\x02\xff\x00",
            b"\x20\x00\x19\x07\0\0\0\0\x21\x00\x07TLSv1.3\x22\x00\x07billing",
            b"\xea\x00\x03vpc",
        ],
    );
    let read = header(&block);
    assert_eq!(read.authority.as_deref(), Some("a.example"), "the first counts");
    assert_eq!(read.unique_id.as_deref(), Some(&[0xff, 0][..]));
    let tls = ProxiedTls {
        version: Some("TLSv1.3".into()),
        common_name: Some("billing".into()),
        verified: true,
    };
    assert_eq!(read.tls, Some(tls.clone()));
    let with_ssl = |flags: u8, verify: u8| {
        let ssl = [0x20, 0, 5, flags, 0, 0, 0, verify];
        header(&v2(0x21, 0x11, &[ENDS, &ssl])).tls
    };
    let unverified = Some(ProxiedTls::default());
    assert_eq!(with_ssl(0x01, 0), unverified, "no certificate was shown");
    assert_eq!(with_ssl(0x07, 1), unverified, "it was not good");
    assert_eq!(with_ssl(0x00, 0), None, "the client did not speak TLS");
}

#[test]
fn the_first_byte_that_does_not_fit_decides() {
    for (first, start) in [(b'P', b"PROXY ".as_slice()), (b'\r', SIGNATURE)] {
        assert_eq!(start[0], first);
        for here in 0..start.len() {
            let more = Parsed::Incomplete { at_least: here + 1 };
            assert_eq!(parse(&start[..here]), Ok(more));
            let mut other = start[..=here].to_vec();
            other[here] ^= 1;
            assert_eq!(parse(&other), Ok(Parsed::NotAHeader), "{}", other.escape_ascii());
        }
    }
    assert_eq!(parse(&[0]), Ok(Parsed::NotAHeader));
    assert_eq!(parse(&[0x16]), Ok(Parsed::NotAHeader));
    // A Kafka request of 80 MiB begins with 5, one of 1.3 GiB would begin with P.
    assert_eq!(parse(&[0x05]), Ok(Parsed::NotAHeader));
}

#[test]
fn it_is_said_how_many_bytes_are_needed() {
    assert_eq!(parse(b"PROXY "), Ok(Parsed::Incomplete { at_least: 15 }));
    assert_eq!(
        parse(b"PROXY TCP4 192.0.2.1"),
        Ok(Parsed::Incomplete { at_least: 22 })
    );
    assert_eq!(
        parse(b"PROXY UNKNOWN and more\r"),
        Ok(Parsed::Incomplete { at_least: 24 })
    );
    let block = v2(0x21, 0x11, &[ENDS]);
    assert_eq!(parse(&block[..14]), Ok(Parsed::Incomplete { at_least: 16 }));
    assert_eq!(parse(&block[..16]), Ok(Parsed::Incomplete { at_least: 28 }));
}

#[test]
fn malformed_lines_are_refused() {
    for line in [
        "PROXY TCP4 192.0.2.1 198.51.100.2 080 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 +80 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 80 00\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 80 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 80\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 80 443 \r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.2 80 443\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.2 80 443\r\n",
        "PROXY TCP4 ::1 ::1 80 443\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.1 80 443\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.1 80 443\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\n",
        "PROXY TCP4 192.0.2.1\r198.51.100.2 80 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 80 443\n",
    ] {
        assert!(!invalid(line.as_bytes()).is_empty());
    }
    assert_eq!(
        header(b"PROXY TCP4 192.0.2.1 198.51.100.2 0 443\r\n").addresses,
        addresses("192.0.2.1:0", "198.51.100.2:443")
    );
}

#[test]
fn malformed_blocks_are_refused_as_soon_as_they_show() {
    let start = |bytes: &[u8]| [SIGNATURE, bytes].concat();
    assert_eq!(invalid(&start(&[0x11])), "neither version 1 nor 2");
    assert_eq!(invalid(&start(&[0x22])), "unknown command");
    assert_eq!(
        invalid(&start(&[0x21, 0x41])),
        "unknown address family or protocol"
    );
    assert_eq!(
        invalid(&start(&[0x21, 0x11, 0, 11])),
        "shorter than its addresses"
    );
    for field in [
        &b"\x02"[..],
        b"\x02\x00\x02a",
        b"\x02\x00\x01\xff",
        b"\x03\x00\x03\0\0\0",
        b"\x20\x00\x04\x01\0\0\0",
        b"\x20\x00\x08\x01\0\0\0\0\x21\x00\x01",
        &[&[0x05, 0, 129][..], &[7; 129]].concat(),
    ] {
        invalid(&v2(0x21, 0x11, &[ENDS, field]));
    }
    let good = encode(
        Version::V2,
        "192.0.2.1:1".parse().unwrap(),
        "192.0.2.2:2".parse().unwrap(),
        None,
    );
    let twice = v2(0x21, 0x11, &[&good[16..], &good[28..]]);
    assert!(parse(&twice).is_err());
}

#[test]
fn a_header_is_not_waited_for_for_ever() {
    let long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 100]].concat();
    assert!(matches!(
        parse(&long[..MAX_V1 - 2]),
        Ok(Parsed::Incomplete { .. })
    ));
    let too_long = |max| Err(ProxyHeaderError::TooLong { max });
    assert_eq!(parse(&long[..MAX_V1 - 1]), too_long(MAX_V1));
    assert_eq!(parse(&long), too_long(MAX_V1));
    let filler = |content: usize| [SIGNATURE, &[0x21, 0x00], &(content as u16).to_be_bytes()].concat();
    assert_eq!(
        parse(&filler(MAX_V2 - 16)),
        Ok(Parsed::Incomplete { at_least: MAX_V2 })
    );
    assert_eq!(parse(&filler(MAX_V2 - 15)), too_long(MAX_V2));
    assert_eq!(parse(&filler(0xffff)), too_long(MAX_V2));
}

/// The first is HAProxy's, as the tests of `proxy-header` carry it.
/// What was too long with 106 bytes was something else with one more.
#[test]
fn a_line_that_is_too_long_stays_too_long() {
    let mut line = b"PROXY ".to_vec();
    line.resize(MAX_V1 - 1, b'x');
    for end in [&b""[..], b"\n", b"\r", b"\r\n", b"x"] {
        let line = [&line, end].concat();
        assert_eq!(
            parse(&line),
            Err(ProxyHeaderError::TooLong { max: MAX_V1 }),
            "{end:?}"
        );
    }
}

#[test]
fn a_wrong_checksum_is_noticed() {
    let local = b"\r\n\r\n\0\r\nQUIT\n \0\0\x0f\x03\0\x04\x88\x9d\xa1\xdf \0\x05\0\0\0\0\0";
    let extras = Extras {
        authority: Some("a.example"),
        tls: None,
    };
    let ends = ["192.0.2.1:1", "192.0.2.2:2"].map(|end| end.parse().unwrap());
    let proxied = encode(Version::V2, ends[0], ends[1], Some(&extras));
    for (bytes, checksum_at) in [(local.as_slice(), 19), (&proxied, 31)] {
        header(bytes);
        for at in [checksum_at, checksum_at + 3, bytes.len() - 1] {
            let mut broken = bytes.to_vec();
            broken[at] ^= 1;
            assert_eq!(parse(&broken), Err(ProxyHeaderError::BadChecksum), "byte {at}");
        }
    }
}

#[test]
fn what_speaks_for_nobody_is_read_back() {
    assert_eq!(encode_local(Version::V1), b"PROXY UNKNOWN\r\n");
    for version in [Version::V1, Version::V2] {
        let read = header(&encode_local(version));
        assert_eq!((read.version, read.addresses), (version, None));
    }
}

/// PP2_CLIENT_SSL is 1, PP2_CLIENT_CERT_CONN 2, PP2_CLIENT_CERT_SESS 4: the second is for a certificate that was shown
/// on this connection, not on the one whose session it resumes.
#[test]
fn a_resumed_session_has_shown_its_certificate_before() {
    let end = "192.0.2.1:1".parse().unwrap();
    for (verified, resumed, flags) in [
        (true, false, 0b111),
        (true, true, 0b101),
        (false, false, 0b001),
        (false, true, 0b001),
    ] {
        let tls = TlsExtras {
            verified,
            resumed,
            ..TlsExtras::default()
        };
        let extras = Extras {
            authority: None,
            tls: Some(tls),
        };
        let block = encode(Version::V2, end, end, Some(&extras));
        // Behind the head, the addresses and the checksum; type and length come first.
        let ssl = &block[16 + 12 + 7..];
        assert_eq!((ssl[0], ssl[3]), (0x20, flags), "{verified} {resumed}");
        assert_eq!(header(&block).tls.unwrap().verified, verified);
    }
}

#[test]
fn mixed_families_become_ipv6_and_mapped_ones_ipv4() {
    let line = |source: &str, destination: &str| {
        let bytes = encode(
            Version::V1,
            source.parse().unwrap(),
            destination.parse().unwrap(),
            None,
        );
        String::from_utf8(bytes).unwrap()
    };
    assert_eq!(
        line("192.0.2.1:1", "[2001:db8::1]:2"),
        "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n"
    );
    assert_eq!(
        line("[::ffff:192.0.2.1]:1", "192.0.2.2:2"),
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
    );
}

fn any_end() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        source in any_end(),
        destination in any_end(),
        authority in proptest::option::of("\\PC{0,400}"),
        name in proptest::option::of("\\PC{0,400}"),
        verified: bool,
        resumed: bool,
    ) {
        let short = |text: &String| text.len() <= 512;
        let plain = |end: SocketAddr| (end.ip().to_canonical(), end.port());
        let tls = TlsExtras { version: "TLSv1.3", cipher: "X", common_name: name.as_deref(), verified, resumed };
        let extras = Extras { authority: authority.as_deref(), tls: Some(tls) };
        for version in [Version::V1, Version::V2] {
            let read = header(&encode(version, source, destination, Some(&extras)));
            let ends = read.addresses.unwrap();
            prop_assert_eq!(plain(ends.source), plain(source));
            prop_assert_eq!(plain(ends.destination), plain(destination));
            let is_v2 = version == Version::V2;
            prop_assert_eq!(read.authority, authority.clone().filter(short).filter(|_| is_v2));
            let tls = ProxiedTls {
                version: Some("TLSv1.3".into()),
                common_name: name.clone().filter(short),
                verified,
            };
            prop_assert_eq!(read.tls, is_v2.then_some(tls));
        }
    }

    #[test]
    fn a_flipped_bit_never_passes_unnoticed(source in any_end(), destination in any_end(), at: prop::sample::Index, bit in 0..8) {
        let mut bytes = encode(Version::V2, source, destination, None);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        // Where it says that there is a checksum is the one place that none guards; a length that grew waits.
        match parse(&bytes) {
            Ok(Parsed::Header { .. }) => prop_assert_eq!(at, bytes.len() - 7),
            Ok(Parsed::Incomplete { .. }) => prop_assert!((14..16).contains(&at)),
            Ok(Parsed::NotAHeader) | Err(_) => {}
        }
    }
}
