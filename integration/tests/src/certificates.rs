//! Certificates for one test: an authority, and what it has signed.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
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
    pub client: Pair,
}

/// A certificate and its key, both PEM.
pub type Pair = (String, String);

/// A certificate that nobody else has signed, for a server that may be called anything.
///
/// # Panics
/// If there is no randomness.
#[must_use]
pub fn self_signed() -> Pair {
    let made = rcgen::generate_simple_self_signed(["nobody.test".to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

impl Certificates {
    /// Makes them, in `folder`.
    #[must_use]
    pub fn make(folder: &Path) -> Self {
        let authority = Authority::new(folder);
        let (server, server_key) = authority.server("127.0.0.1");
        Self {
            authority: authority.certificate.clone(),
            server: write(folder, "server.pem", &server),
            server_key: write(folder, "server.key", &server_key),
            client: authority.client(),
        }
    }
}

/// What signs certificates.
pub struct Authority {
    /// Its own certificate, PEM in a file.
    pub certificate: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one, whose certificate is written into `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // With the default name of all of them, what it signs would look self-signed.
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        Self { certificate: write(folder, "authority.pem", &own.pem()), issuer: Issuer::new(params, key) }
    }

    /// A certificate for the server of this name, or address.
    #[must_use]
    pub fn server(&self, name: &str) -> Pair {
        self.signed(dns(name), &[ExtendedKeyUsagePurpose::ServerAuth])
    }

    /// A certificate for a client.
    #[must_use]
    pub fn client(&self) -> Pair {
        self.signed(dns("weft.test"), &[ExtendedKeyUsagePurpose::ClientAuth])
    }

    /// A certificate and its key, both PEM, for a server and client of a mesh. `identity` is its URI, if it has one.
    #[must_use]
    pub fn workload(&self, identity: Option<&str>) -> Pair {
        let uri = |identity: &str| SanType::URI(identity.try_into().expect("ASCII"));
        let name = identity.map_or_else(|| dns("nobody.test"), uri);
        self.signed(name, &[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth])
    }

    fn signed(&self, name: SanType, usages: &[ExtendedKeyUsagePurpose]) -> Pair {
        let mut params = CertificateParams::new([]).expect("no names");
        params.subject_alt_names = vec![name];
        params.extended_key_usages = usages.to_vec();
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}

/// The name of a host, which may be an address.
fn dns(name: &str) -> SanType {
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(name.try_into().expect("ASCII")),
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, text).expect("a certificate can be written");
    file
}
