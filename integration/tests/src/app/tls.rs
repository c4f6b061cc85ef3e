//! TLS of a test application.

use crate::certificates::{Authority, Pair};
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

/// What a server shows to its clients and asks of them.
#[derive(Clone)]
pub struct Secure(TlsAcceptor);

impl Secure {
    /// A certificate, and the protocols to choose from as ALPN names them; a client that offers others only is sent away.
    ///
    /// # Panics
    /// If certificate and key are no pair.
    #[must_use]
    pub fn new(pair: &Pair, protocols: &[&str]) -> Self {
        Self::made(pair, protocols, None)
    }

    /// As above, for clients only that have a certificate of this authority.
    ///
    /// # Panics
    /// As above.
    #[must_use]
    pub fn demanding(pair: &Pair, protocols: &[&str], clients: &Authority) -> Self {
        Self::made(pair, protocols, Some(clients))
    }

    fn made((certificate, key): &Pair, protocols: &[&str], clients: Option<&Authority>) -> Self {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = builder.expect("protocols that the provider has");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_file(&authority.certificate).expect("PEM")).expect("a certificate");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.expect("an authority"))
            }
        };
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>().expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
        let mut config = builder.with_single_cert(chain, key).expect("a pair");
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        Self(TlsAcceptor::from(Arc::new(config)))
    }

    pub(super) async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.0.accept(socket).await
    }
}
