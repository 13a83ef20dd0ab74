//! AWS Signature Version 4 in its query form: a URL that is good for a while by itself.

use aws_lc_rs::{digest, hmac};
use data_encoding::HEXLOWER;

use super::AwsCredential;
use crate::time::{from_unix_seconds, rfc3339};

/// Name of the algorithm.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A moment as AWS writes it: `20201022T210000Z`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsTime(String);

/// What is signed, apart from the parameters of the signature itself.
#[derive(Debug, Clone, Copy)]
pub struct PresignedQuery<'q> {
    /// Name of the host, without a port.
    pub host: &'q str,
    /// Path of the URL, encoded.
    pub path: &'q str,
    /// Parameters of the request, not encoded.
    pub parameters: &'q [(&'q str, &'q str)],
    /// Digest of the body in hexadecimal digits, or the word that stands for it.
    pub payload_hash: &'q str,
    /// Region in the scope of the signature.
    pub region: &'q str,
    /// Service in the scope of the signature.
    pub service: &'q str,
    /// Seconds for which the signature is good.
    pub expires: u32,
}

impl AwsTime {
    /// The moment so many seconds after the beginning of 1970.
    pub fn at(unix_seconds: u64) -> Self {
        let text = rfc3339(from_unix_seconds(i64::try_from(unix_seconds).unwrap_or(i64::MAX)));
        let seconds = text.split('.').next().unwrap_or_default();
        let mut short: String = seconds.chars().filter(|digit| !"-:".contains(*digit)).collect();
        short.push('Z');
        Self(short)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The day alone.
    fn date(&self) -> &str {
        self.0.get(..8).unwrap_or_default()
    }
}

/// All parameters of the signed URL in their order, not encoded; the signature is the last.
pub fn presign(
    query: &PresignedQuery<'_>,
    credential: &AwsCredential,
    at: &AwsTime,
) -> Vec<(String, String)> {
    let scope = format!("{}/{}/{}/aws4_request", at.date(), query.region, query.service);
    let mut parameters: Vec<(String, String)> = query
        .parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let mut add = |name: &str, value: String| parameters.push((name.to_owned(), value));
    add("X-Amz-Algorithm", ALGORITHM.to_owned());
    add(
        "X-Amz-Credential",
        format!("{}/{scope}", credential.access_key_id),
    );
    add("X-Amz-Date", at.as_str().to_owned());
    add("X-Amz-Expires", query.expires.to_string());
    if let Some(token) = &credential.session_token {
        add("X-Amz-Security-Token", token.reveal().to_owned());
    }
    add("X-Amz-SignedHeaders", "host".to_owned());
    let canonical = canonical_request(query, &parameters);
    let key = signing_key(
        credential.secret_access_key.reveal(),
        [at.date(), query.region, query.service],
    );
    let signature = sign(&key, at, &scope, &canonical);
    parameters.push(("X-Amz-Signature".to_owned(), signature));
    parameters
}

fn canonical_request(query: &PresignedQuery<'_>, parameters: &[(String, String)]) -> String {
    let mut encoded: Vec<(String, String)> = parameters
        .iter()
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    encoded.sort_unstable();
    let encoded: Vec<String> = encoded
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let PresignedQuery {
        host,
        path,
        payload_hash,
        ..
    } = query;
    format!(
        "GET\n{path}\n{}\nhost:{host}\n\nhost\n{payload_hash}",
        encoded.join("&")
    )
}

/// The signature of a canonical request.
fn sign(key: &[u8], at: &AwsTime, scope: &str, canonical: &str) -> String {
    let hash = HEXLOWER.encode(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{hash}", at.as_str());
    HEXLOWER.encode(&hmac_sha256(key, to_sign.as_bytes()))
}

/// The key for a day, a region and a service.
fn signing_key(secret: &str, scope: [&str; 3]) -> Vec<u8> {
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in scope.into_iter().chain(["aws4_request"]) {
        key = hmac_sha256(&key, part.as_bytes());
    }
    key
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, data).as_ref().to_vec()
}

/// Encodes everything but the unreserved characters of RFC 3986.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn moments_are_written_as_aws_does() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_603_400_400, "20201022T210000Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(AwsTime::at(seconds).as_str(), text);
        }
    }

    /// "Derive a signing key" in the guide to signing of AWS.
    #[test]
    fn the_published_signing_key_comes_out() {
        let key = signing_key(
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            ["20150830", "us-east-1", "iam"],
        );
        assert_eq!(
            HEXLOWER.encode(&key),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
        );
    }

    /// `get-vanilla` of the test suite of AWS.
    #[test]
    fn the_vanilla_request_of_the_published_suite_is_signed_alike() {
        let at = AwsTime("20150830T123600Z".to_owned());
        let canonical = "GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n\
                         e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let key = signing_key(
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            ["20150830", "us-east-1", "service"],
        );
        let scope = "20150830/us-east-1/service/aws4_request";
        assert_eq!(
            sign(&key, &at, scope, canonical),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }

    /// "Authenticating Requests: Using Query Parameters" in the API reference of Amazon S3.
    #[test]
    fn the_published_presigned_url_comes_out() {
        let credential = AwsCredential {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            session_token: None,
        };
        let query = PresignedQuery {
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            parameters: &[],
            payload_hash: "UNSIGNED-PAYLOAD",
            region: "us-east-1",
            service: "s3",
            expires: 86_400,
        };
        let signed = presign(&query, &credential, &AwsTime::at(1_369_353_600));
        assert_eq!(
            signed.last().unwrap().1,
            "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }
}
