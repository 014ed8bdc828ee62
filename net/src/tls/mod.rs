//! TLS by rustls: for S6a with certificates on both sides, and for the administrative interfaces.
//!
//! TLS 1.2 and 1.3 with the algorithms of `ring`; nothing older is spoken. Revocation lists are not
//! read: a peer is shut out by its entry in the configuration.

mod stream;

use core::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore,
    ServerConfig, SignatureScheme,
};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use stream::{PeerCertificate, TlsInput, run};

/// A certificate with its chain, and its key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

impl Identity {
    /// Reads PEM files. Nobody but the owner may be able to read the key.
    ///
    /// # Errors
    /// When a file cannot be read, holds nothing of its kind, or shows the key to others.
    pub fn read(certificate: &Path, key: &Path) -> io::Result<Self> {
        let chain = read_certificates(certificate)?;
        let mode = fs::metadata(key)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let why = format!("others may read {} (mode {mode:04o})", key.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(|e| named(key, &e))?;
        Ok(Self { chain, key })
    }
}

/// Reads the certificates of a PEM file.
///
/// # Errors
/// When it cannot be read or holds none.
pub fn read_certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|e| named(path, &e))?
        .collect();
    let all = all.map_err(|e| named(path, &e))?;
    if all.is_empty() {
        let why = format!("{} holds no certificate in PEM", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(all)
}

fn named(path: &Path, error: &dyn fmt::Display) -> io::Error {
    let why = format!("{}: {error}", path.display());
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn roots(authorities: Vec<CertificateDer<'static>>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(io::Error::other)?;
    }
    Ok(roots)
}

/// The server's side of TLS.
#[derive(Clone)]
pub struct Acceptor {
    acceptor: TlsAcceptor,
    /// The DNS names of the certificate.
    names: Arc<[String]>,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Acceptor").field(&self.names).finish()
    }
}

impl Acceptor {
    /// For callers that show no certificate: they prove themselves by a token.
    ///
    /// # Errors
    /// When certificate and key do not fit.
    pub fn without_clients(identity: Identity) -> io::Result<Self> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth();
        Self::new(identity, |i| builder.with_single_cert(i.chain, i.key))
    }

    /// For peers that must show a certificate: one that comes from `authorities`, or one whose
    /// SHA-256 is among `pinned`, whoever made it.
    ///
    /// # Errors
    /// When certificate and key do not fit, or an authority's certificate is of no use.
    pub fn with_clients(
        identity: Identity,
        authorities: Vec<CertificateDer<'static>>,
        pinned: Vec<[u8; 32]>,
    ) -> io::Result<Self> {
        let provider = provider();
        let authorities = if authorities.is_empty() {
            None
        } else {
            let roots = Arc::new(roots(authorities)?);
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
            Some(verifier.build().map_err(io::Error::other)?)
        };
        let verifier = Verifier {
            authorities,
            pinned,
            algorithms: provider.signature_verification_algorithms,
        };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_client_cert_verifier(Arc::new(verifier));
        Self::new(identity, |i| builder.with_single_cert(i.chain, i.key))
    }

    fn new(
        identity: Identity,
        build: impl FnOnce(Identity) -> Result<ServerConfig, rustls::Error>,
    ) -> io::Result<Self> {
        let names = identity.chain.first().map(names).unwrap_or_default();
        let config = build(identity).map_err(io::Error::other)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            names: names.into(),
        })
    }

    /// The DNS names of the certificate.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// When the caller does not speak TLS, or its certificate is not accepted.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<tokio_rustls::server::TlsStream<S>> {
        self.acceptor.accept(stream).await
    }
}

/// The DNS names in a certificate's subject alternative name.
fn names(certificate: &CertificateDer<'static>) -> Vec<String> {
    webpki::EndEntityCert::try_from(certificate)
        .map(|c| c.valid_dns_names().map(str::to_owned).collect())
        .unwrap_or_default()
}

/// Accepts pinned certificates, and those of the authorities.
#[derive(Debug)]
struct Verifier {
    authorities: Option<Arc<dyn ClientCertVerifier>>,
    pinned: Vec<[u8; 32]>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // A self-signed certificate has no such issuer: with pinned ones around, no hint is given.
        match &self.authorities {
            Some(authorities) if self.pinned.is_empty() => authorities.root_hint_subjects(),
            _ => &[],
        }
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let digest: [u8; 32] = Sha256::digest(end_entity).into();
        if self.pinned.contains(&digest) {
            return Ok(ClientCertVerified::assertion());
        }
        match &self.authorities {
            Some(authorities) => authorities.verify_client_cert(end_entity, intermediates, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The client's side of TLS, towards one server.
#[derive(Clone)]
pub struct Connector {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.name).finish()
    }
}

impl PartialEq for Connector {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Connector {
    /// Trusts a certificate of `authorities` that has `name`, a DNS name or an IP address.
    ///
    /// # Errors
    /// When the name is none, or an authority's certificate is of no use.
    pub fn new(authorities: Vec<CertificateDer<'static>>, name: &str) -> io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots(authorities)?)
            .with_no_client_auth();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name,
        })
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// When the server does not speak TLS, or its certificate is not accepted.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<tokio_rustls::client::TlsStream<S>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}
