//! Certificates and keys as people paste them. Envoy refuses what is wrong with them too, but it cannot say where it
//! was written.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Whether a text holds one certificate at least, and each of them is whole.
fn is_certificate(text: &str) -> bool {
    let mut found = CertificateDer::pem_slice_iter(text.as_bytes());
    matches!(found.next(), Some(Ok(_))) && found.all(|certificate| certificate.is_ok())
}

/// Whether a text holds a private key.
fn is_private_key(text: &str) -> bool {
    PrivateKeyDer::from_pem_slice(text.as_bytes()).is_ok()
}

/// What is wrong with a text that has to be a certificate; `None` for nothing.
#[must_use]
pub fn flaw_of_certificate(text: &str) -> Option<&'static str> {
    let why = "is not a certificate in PEM; give the text itself, from -----BEGIN CERTIFICATE-----";
    (!is_certificate(text)).then_some(why)
}

/// What is wrong with a text that has to be a private key; `None` for nothing.
#[must_use]
pub fn flaw_of_key(text: &str) -> Option<&'static str> {
    let why = "is not a private key in PEM; give the text itself, from -----BEGIN PRIVATE KEY-----";
    (!is_private_key(text)).then_some(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

    #[test]
    fn a_certificate_may_come_with_those_that_signed_it() {
        assert!(is_certificate(CERTIFICATE));
        assert!(is_certificate(&format!("{CERTIFICATE}{CERTIFICATE}")));
        for wrong in ["", "cert.pem", KEY, &CERTIFICATE[..40], &format!("{CERTIFICATE}{}", &CERTIFICATE[..40])] {
            assert!(!is_certificate(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_told_from_a_certificate() {
        assert!(is_private_key(KEY));
        assert!(is_private_key(&KEY.replace("PRIVATE", "RSA PRIVATE")));
        for wrong in ["", "key.pem", CERTIFICATE, &KEY[..40]] {
            assert!(!is_private_key(wrong), "{wrong}");
        }
    }
}
