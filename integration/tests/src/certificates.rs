//! Certificates for one test: an authority, and what it has signed.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use std::fs;
use std::path::{Path, PathBuf};

/// A server that has a certificate for 127.0.0.1 and asks its clients for one. Everything is PEM in files.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority's certificate.
    pub authority: PathBuf,
    /// The server's certificate.
    pub server: PathBuf,
    /// The server's key.
    pub server_key: PathBuf,
    /// A client's certificate and its key, as text.
    pub client: (String, String),
}

impl Certificates {
    /// Makes them, in `folder`.
    #[must_use]
    pub fn make(folder: &Path) -> Self {
        let write = |name: &str, text: &str| {
            let file = folder.join(name);
            fs::write(&file, text).expect("a certificate can be written");
            file
        };
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // With the default name of all of them, what it signs would look self-signed.
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().expect("a key");
        let authority = write("authority.pem", &params.self_signed(&key).expect("a certificate").pem());
        let issuer = Issuer::new(params, key);
        let (server, server_key) = signed("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth, &issuer);
        Self {
            authority,
            server: write("server.pem", &server),
            server_key: write("server.key", &server_key),
            client: signed("weft.test", ExtendedKeyUsagePurpose::ClientAuth, &issuer),
        }
    }
}

/// A certificate for `name` and its key.
fn signed(name: &str, usage: ExtendedKeyUsagePurpose, issuer: &Issuer<'_, KeyPair>) -> (String, String) {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}
