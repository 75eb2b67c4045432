//! What a service account of Google says of itself to get a token: a JWT, signed with RS256 (RFC 7523, RFC 7518).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Value, json};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long an assertion is good.
const SECONDS: i64 = 600;

/// The key of a service account.
pub(in crate::destinations) struct ServiceAccount {
    email: String,
    key_id: String,
    key: KeyPair,
}

/// The file that Google gives out; what else stands in it is not used, least of all its addresses.
#[derive(Deserialize)]
struct File {
    client_email: String,
    #[serde(default)]
    private_key_id: String,
    private_key: String,
}

impl ServiceAccount {
    /// Reads the file that Google gives out.
    pub(in crate::destinations) fn read(text: &str) -> Option<Self> {
        let file: File = serde_json::from_str(text).ok()?;
        let pem = Secret::new(file.private_key);
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes()).ok()?;
        let key = KeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()?;
        Some(Self { email: file.client_email, key_id: file.private_key_id, key })
    }

    /// A signed assertion for whoever gives out tokens at that address.
    pub(super) fn assert(&self, audience: &str, now: Timestamp) -> Option<Secret<String>> {
        let head = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": audience,
            "iat": now.seconds(),
            "exp": now.seconds().saturating_add(SECONDS),
        });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&head), encode(&claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        // This padding takes no randomness; the library asks for a source all the same.
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).ok()?;
        Some(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&signature))))
    }
}
