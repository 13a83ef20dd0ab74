//! Names in messages of SCRAM and OAUTHBEARER (`saslname`, RFC 5802 §7).

/// Reads a name with `=2C` for a comma and `=3D` for an equals sign. `None`: it is none.
pub(super) fn decode(name: &str) -> Option<String> {
    if name.is_empty() || name.contains(['\0', ',']) {
        return None;
    }
    let mut pieces = name.split('=');
    let mut decoded = pieces.next()?.to_owned();
    for piece in pieces {
        let (sign, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            (None, None) => return None,
        };
        decoded.push(sign);
        decoded.push_str(rest);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_equals_signs_are_decoded() {
        assert_eq!(decode("a=2Cb=3Dc=3D").as_deref(), Some("a,b=c="));
        assert_eq!(decode("żaneta").as_deref(), Some("żaneta"));
        for bad in ["", "a=", "a=2c", "a=3", "a,b", "a\0"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
