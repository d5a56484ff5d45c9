//! Certificates and keys in files.

use std::{fs, path::Path};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;

/// Writes a self-signed certificate for `name` to `cert.pem` and its key to `key.pem`.
pub fn certificate(folder: &Path, name: &str) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    certificate.der().clone()
}

/// Writes a key that fits no certificate.
pub fn stray_key(path: &Path) {
    fs::write(path, KeyPair::generate().unwrap().serialize_pem()).unwrap();
}
