//! AWS_MSK_IAM as a client: one message, a signed request to connect that the broker shows to AWS.

use crate::config::Secret;

use super::sigv4::{AwsTime, PresignedQuery, presign};

/// Digest of the empty body.
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Seconds for which a signature is good.
const EXPIRES: u32 = 900;

/// The name of this program, in the broker's log.
const AGENT: &str = concat!("kproxy/", env!("CARGO_PKG_VERSION"));

/// Keys of AWS. `Debug` shows none of the secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsCredential {
    /// Id of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret,
    /// Token of a temporary key.
    pub session_token: Option<Secret>,
}

/// What a login to one broker is made of.
#[derive(Debug, Clone, Copy)]
pub struct MskLogin<'l> {
    /// Name of the broker, as it advertises itself.
    pub host: &'l str,
    /// Region of the cluster.
    pub region: &'l str,
    /// Keys.
    pub credential: &'l AwsCredential,
}

impl MskLogin<'_> {
    /// The only message of the client, at `now` in seconds since 1970.
    pub fn message(&self, now: u64) -> Vec<u8> {
        let query = PresignedQuery {
            host: self.host,
            path: "/",
            parameters: &[("Action", "kafka-cluster:Connect")],
            payload_hash: EMPTY_HASH,
            region: self.region,
            service: "kafka-cluster",
            expires: EXPIRES,
        };
        let signed = presign(&query, self.credential, &AwsTime::at(now));
        let mut message = serde_json::Map::new();
        let mut add = |name: String, value: &str| message.insert(name, value.into());
        add("version".to_owned(), "2020_10_22");
        add("host".to_owned(), self.host);
        add("user-agent".to_owned(), AGENT);
        for (name, value) in &signed {
            add(name.to_ascii_lowercase(), value);
        }
        serde_json::Value::Object(message).to_string().into_bytes()
    }
}

/// The region that the name of a broker of MSK tells: `b-1.NAME.ID.kafka.REGION.amazonaws.com`.
pub fn region_of(host: &str) -> Option<&str> {
    let mut labels = host.split('.').peekable();
    while let Some(label) = labels.next() {
        if matches!(label, "kafka" | "kafka-serverless") {
            let region = labels.next()?;
            return (labels.next()? == "amazonaws").then_some(region);
        }
    }
    None
}

/// The keys in a section of a file as the AWS tools keep it (`~/.aws/credentials`); `None` without a complete key.
pub fn read_credentials(content: &str, profile: &str) -> Option<AwsCredential> {
    let mut is_in = false;
    let (mut id, mut secret, mut token) = (None, None, None);
    for line in content.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            is_in = section.trim_end_matches(']').trim() == profile;
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| is_in && !line.starts_with('#')) else {
            continue;
        };
        let value = value.trim();
        let field = match name.trim() {
            "aws_access_key_id" => &mut id,
            "aws_secret_access_key" => &mut secret,
            "aws_session_token" => &mut token,
            _ => continue,
        };
        *field = Some(value).filter(|value| !value.is_empty());
    }
    Some(AwsCredential {
        access_key_id: id?.to_owned(),
        secret_access_key: Secret::new(secret?),
        session_token: token.map(Secret::new),
    })
}

/// Checks the broker's answer: it names the version of its message and an id of the request.
pub(super) fn accepts(answer: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct MskAnswer {
        version: String,
        #[serde(rename = "request-id")]
        request_id: String,
    }
    serde_json::from_slice::<MskAnswer>(answer)
        .is_ok_and(|answer| !answer.version.is_empty() && !answer.request_id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_stands_in_the_name_of_a_broker() {
        for (host, region) in [
            (
                "b-1.demo.abc123.c2.kafka.eu-west-1.amazonaws.com",
                Some("eu-west-1"),
            ),
            (
                "boot-x.c1.kafka-serverless.us-east-1.amazonaws.com",
                Some("us-east-1"),
            ),
            (
                "b-1.demo.abc.c2.kafka.cn-north-1.amazonaws.com.cn",
                Some("cn-north-1"),
            ),
            ("kafka.example.com", None),
            ("b0", None),
        ] {
            assert_eq!(region_of(host), region, "{host}");
        }
    }

    #[test]
    fn a_profile_is_a_section_of_the_file() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key=s\n# aws_session_token = x\n\n\
                    [ops]\naws_access_key_id=B\naws_secret_access_key=t=u\naws_session_token=v\n[half]\naws_access_key_id=C\n";
        let read = |profile| read_credentials(text, profile);
        let default = read("default").unwrap();
        assert_eq!(
            (default.access_key_id.as_str(), default.session_token),
            ("A", None)
        );
        let ops = read("ops").unwrap();
        assert_eq!(ops.secret_access_key.reveal(), "t=u");
        assert_eq!(ops.session_token, Some(Secret::new("v")));
        assert!(read("half").is_none() && read("none").is_none());
    }

    #[test]
    fn the_message_has_the_fields_of_its_version_and_no_secret() {
        let credential = AwsCredential {
            access_key_id: "AKID".to_owned(),
            secret_access_key: Secret::new("hunter2"),
            session_token: Some(Secret::new("session+token")),
        };
        let login = MskLogin {
            host: "b-1.x.kafka.us-west-2.amazonaws.com",
            region: "us-west-2",
            credential: &credential,
        };
        let message = login.message(1_603_400_400);
        let read: serde_json::Value = serde_json::from_slice(&message).unwrap();
        for (name, value) in [
            ("version", "2020_10_22"),
            ("host", "b-1.x.kafka.us-west-2.amazonaws.com"),
            ("action", "kafka-cluster:Connect"),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            (
                "x-amz-credential",
                "AKID/20201022/us-west-2/kafka-cluster/aws4_request",
            ),
            ("x-amz-date", "20201022T210000Z"),
            ("x-amz-security-token", "session+token"),
            ("x-amz-signedheaders", "host"),
            ("x-amz-expires", "900"),
        ] {
            assert_eq!(read[name], value, "{name}");
        }
        assert_eq!(read["x-amz-signature"].as_str().unwrap().len(), 64);
        assert_eq!(read.as_object().unwrap().len(), 11);
        assert!(!String::from_utf8(message).unwrap().contains("hunter2"));
        assert!(accepts(br#"{"version":"2020_10_22","request-id":"1"}"#));
        for wrong in [&b""[..], b"{}", br#"{"version":"","request-id":"1"}"#, b"\xff"] {
            assert!(!accepts(wrong));
        }
    }
}
