//! SCRAM (RFC 5802, RFC 7677) as a server, without channel binding, as Kafka has it.

use data_encoding::BASE64;

use super::names;
use crate::sasl::ScramVerifier;

/// The first message of a client.
#[derive(Debug)]
pub(super) struct ClientFirst {
    pub(super) name: String,
    /// The part that says how channel binding is used, to its last comma.
    header: String,
    bare: String,
    nonce: String,
}

/// An exchange that waits for the client's proof.
#[derive(Debug)]
pub(super) struct AwaitingProof {
    pub(super) name: String,
    header: String,
    nonce: String,
    /// The two messages before the proof, as the proof signs them.
    signed: String,
    pub(super) verifier: ScramVerifier,
}

impl ClientFirst {
    /// Reads `n,[a=authzid],n=name,r=nonce[,extensions]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(message: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(message).map_err(|_| "the SCRAM message is not UTF-8")?;
        let rest = text
            .strip_prefix("n,")
            .ok_or("the SCRAM message asks for channel binding")?;
        let (authorization, bare) = rest
            .split_once(',')
            .ok_or("the SCRAM message ends in its header")?;
        let mut parts = bare.split(',');
        let name = parts.next().and_then(|part| part.strip_prefix("n="));
        let name = name
            .and_then(names::decode)
            .ok_or("the SCRAM message has no readable name")?;
        let nonce = parts.next().and_then(|part| part.strip_prefix("r="));
        let nonce = nonce
            .filter(|nonce| is_nonce(nonce))
            .ok_or("the SCRAM message has no nonce")?;
        for extension in parts {
            if !is_extension(extension) {
                return Err("the SCRAM message has an extension that is none");
            }
            if extension.starts_with("tokenauth=") {
                return Err("the client logs in with a delegation token, which only a broker knows");
            }
        }
        if !authorization.is_empty() {
            let other = authorization
                .strip_prefix("a=")
                .and_then(names::decode)
                .ok_or("the SCRAM message has a wrong header")?;
            if other != name {
                return Err("the client asks to act for another user");
            }
        }
        Ok(Self {
            header: text[..text.len() - bare.len()].to_owned(),
            bare: bare.to_owned(),
            nonce: nonce.to_owned(),
            name,
        })
    }

    /// Answers with the salt of `verifier`; `nonce` is the server's part.
    pub(super) fn answer(self, verifier: ScramVerifier, nonce: &str) -> (AwaitingProof, Vec<u8>) {
        let nonce = self.nonce + nonce;
        let (salt, iterations) = (BASE64.encode(verifier.salt()), verifier.iterations());
        let message = format!("r={nonce},s={salt},i={iterations}");
        let awaiting = AwaitingProof {
            name: self.name,
            header: self.header,
            nonce,
            signed: format!("{},{message}", self.bare),
            verifier,
        };
        (awaiting, message.into_bytes())
    }
}

impl AwaitingProof {
    /// Checks the last message of the client, `c=header,r=nonce[,extensions],p=proof`, and answers it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn verify(&self, message: &[u8]) -> Result<Vec<u8>, &'static str> {
        let text = std::str::from_utf8(message).map_err(|_| "the SCRAM message is not UTF-8")?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or("the SCRAM message has no proof")?;
        let proof = BASE64
            .decode(proof.as_bytes())
            .map_err(|_| "the SCRAM proof is not base 64")?;
        let mut parts = without_proof.split(',');
        let binding = parts.next().and_then(|part| part.strip_prefix("c="));
        if binding != Some(BASE64.encode(self.header.as_bytes()).as_str()) {
            return Err("the SCRAM message has another header than the first");
        }
        let nonce = parts.next().and_then(|part| part.strip_prefix("r="));
        if nonce != Some(self.nonce.as_str()) {
            return Err("the SCRAM message has another nonce");
        }
        if !parts.all(is_extension) {
            return Err("the SCRAM message has an extension that is none");
        }
        let signed = format!("{},{without_proof}", self.signed);
        match self.verifier.fits_proof(signed.as_bytes(), &proof) {
            true => {
                let signature = self.verifier.server_signature(signed.as_bytes());
                Ok(format!("v={}", BASE64.encode(&signature)).into_bytes())
            }
            false => Err("name and password do not belong together"),
        }
    }
}

/// Printable characters of ASCII except the comma.
fn is_nonce(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// A letter's name, an equals sign and a value. `m=` is reserved for what a server must understand (RFC 5802 §5.1).
fn is_extension(part: &str) -> bool {
    part.split_once('=').is_some_and(|(key, value)| {
        !key.is_empty()
            && key != "m"
            && key.bytes().all(|byte| byte.is_ascii_alphabetic())
            && !value.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::sasl::ScramHash;

    fn pencil() -> ScramVerifier {
        let salt = BASE64.decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        ScramVerifier::of_password(ScramHash::Sha256, "pencil", &salt, NonZeroU32::new(4096).unwrap())
    }

    /// The exchange of RFC 7677 §3.
    #[test]
    fn the_example_of_rfc_7677_comes_out() {
        let first = ClientFirst::read(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        let (awaiting, answer) = first.answer(pencil(), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
        assert_eq!(
            std::str::from_utf8(&answer).unwrap(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(
            awaiting.verify(last).unwrap(),
            b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        let text = std::str::from_utf8(last).unwrap();
        for wrong in [
            text.replace("biws", "eSws"),
            text.replace("k0,p=", "k1,p="),
            text.replace("k0,p=", "k0,x,p="),
            text.replace("p=dH", "p=dG"),
            text.replace(",p=", ""),
            text.replace("VQ=", "VQ"),
            text.replace("c=biws,", ""),
        ] {
            assert!(awaiting.verify(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_decoded_and_may_not_act_for_others() {
        let name = |message: &str| ClientFirst::read(message.as_bytes()).map(|first| first.name);
        assert_eq!(name("n,,n=a=2Cb=3D,r=x").unwrap(), "a,b=");
        assert_eq!(name("n,a=a=2Cb=3D,n=a=2Cb=3D,r=x,ext=1").unwrap(), "a,b=");
        for bad in [
            "",
            "n,",
            "n,,",
            "n,,n=,r=x",
            "n,,n=u",
            "n,,n=u,r=",
            "n,,n=u,r=\u{7f}",
            "n,,n=u,r=x,",
            "n,,n=u,r=x,ext",
            "n,,n=u,r=x,m=1",
            "n,,m=1,n=u,r=x",
            "n,,n=u,r=x,tokenauth=true",
            "n,a=v,n=u,r=x",
            "n,v,n=u,r=x",
            "y,,n=u,r=x",
            "p=tls-unique,,n=u,r=x",
        ] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
