use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use rustls::{ClientConfig, ServerConfig};

use super::{
    NodeCertificates, NodeRejected, Term,
    configs::{self, Configs},
    proof::{NONCE, Proof, ProofKey},
    seen::Seen,
    term::TermOwner,
};
use crate::identity::{IdentityError, NodeAuthority, NodeName, Secret, error::Kind, random};

/// The identity of a node and the means to prove it: its name, its secrets, and the certificates derived from them.
///
/// A node can have several secrets, so that a new one can replace an old one. It connects with the first, and tries the
/// next if the peer is silent. It accepts connections that use any of them. To change the secret of a mesh, first add the
/// new one after the old one on all nodes, then move it to the front, then remove the old one. No node is cut off at any
/// step.
///
/// Clones share the identity: a replacement in one applies to all, for new connections.
///
/// ```
/// use std::time::SystemTime;
/// use pmesh_layers::{identity::Secret, node::NodeIdentity};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (old, new) = (Secret::generate()?, Secret::generate()?);
/// let identity = NodeIdentity::new("example", "berlin-1".parse()?, [&old])?;
///
/// identity.replace([&old, &new])?;
///
/// // Call this regularly. Certificates are valid for a day.
/// assert!(!identity.renew(SystemTime::now())?, "they are fresh");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct NodeIdentity {
    context: Arc<str>,
    name: NodeName,
    clock_window: Duration,
    shared: Arc<Shared>,
}

struct Shared {
    current: ArcSwap<Current>,
    /// Held while `current` is replaced, so that concurrent replacements do not undo each other.
    writing: Mutex<()>,
    seen: Mutex<Seen>,
}

/// What new connections use.
struct Current {
    credentials: Vec<Credentials>,
    certified: Certified,
}

/// The keys and certificates of one secret.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) proof: Arc<ProofKey>,
    authority: Arc<NodeAuthority>,
    pub(super) configs: Configs,
    held: TermOwner,
}

/// The source of the certificates.
#[derive(Clone)]
enum Certified {
    /// Derived from each secret, at this time.
    Derived(SystemTime),
    /// From the user.
    Own(Configs),
}

impl NodeIdentity {
    /// Creates the identity of the node `name`, with certificates that are derived from the secrets.
    ///
    /// `context` is the name of the program, 1 to 32 bytes. Nodes of different programs do not accept each other, even
    /// with the same secret.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError`] if `context` is empty or too long, if there is no secret, if the system provides no
    /// random numbers, or if its clock is before 1970.
    pub fn new<'a>(
        context: &str,
        name: NodeName,
        secrets: impl IntoIterator<Item = &'a Secret>,
    ) -> Result<Self, IdentityError> {
        let current = Current::new(context, &name, secrets, Certified::Derived(SystemTime::now()), &[])?;
        Ok(Self::with(context, name, current))
    }

    /// Creates the identity of the node `name`, with your own certificates. The secrets are used only for the proof,
    /// which other nodes still require.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError`] if `context` is empty or too long, if there is no secret, or if peers would refuse the
    /// certificate: because it names another node, has expired, leads to none of the roots, or is valid for only one
    /// side of a connection.
    pub fn with_certificates<'a>(
        context: &str,
        name: NodeName,
        secrets: impl IntoIterator<Item = &'a Secret>,
        certificates: NodeCertificates,
    ) -> Result<Self, IdentityError> {
        let own = Configs::own(certificates, &name, SystemTime::now())?;
        let current = Current::new(context, &name, secrets, Certified::Own(own), &[])?;
        Ok(Self::with(context, name, current))
    }

    fn with(context: &str, name: NodeName, current: Current) -> Self {
        let shared =
            Shared { current: ArcSwap::from_pointee(current), writing: Mutex::default(), seen: Mutex::default() };
        Self { context: context.into(), name, clock_window: Duration::from_secs(60), shared: Arc::new(shared) }
    }

    /// Sets how far the clocks of two nodes can be apart, in whole seconds. Default: 60 s.
    ///
    /// An attacker who intercepts a proof before it arrives can use it for that long, but only to learn that a node is
    /// there. A window of more than an hour has no effect, because derived certificates are backdated by
    /// only an hour.
    #[must_use]
    pub fn clock_window(mut self, window: Duration) -> Self {
        self.clock_window = window;
        self
    }

    /// The name of this node.
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// Replaces the secrets. From now on, only these are used to open and accept connections.
    ///
    /// This ends the [`Term`] of connections that were opened with a secret that is not among them.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new). On an error, nothing is replaced.
    pub fn replace<'a>(&self, secrets: impl IntoIterator<Item = &'a Secret>) -> Result<(), IdentityError> {
        let _writing = self.writing();
        let before = self.shared.current.load_full();
        let certified = match &before.certified {
            Certified::Derived(_) => Certified::Derived(SystemTime::now()),
            own => own.clone(),
        };
        let current = Arc::new(Current::new(&self.context, &self.name, secrets, certified, &before.credentials)?);
        self.shared.current.store(Arc::clone(&current));
        let is_kept = |held: &TermOwner| current.credentials.iter().any(|credentials| credentials.held.is_same(held));
        before.credentials.iter().filter(|before| !is_kept(&before.held)).for_each(|before| before.held.end());
        Ok(())
    }

    /// Replaces the certificates, for new connections.
    ///
    /// # Errors
    ///
    /// As for [`with_certificates`](Self::with_certificates). On an error, nothing is replaced.
    pub fn replace_certificates(&self, certificates: NodeCertificates) -> Result<(), IdentityError> {
        let own = Configs::own(certificates, &self.name, SystemTime::now())?;
        let _writing = self.writing();
        let current = self.shared.current.load().certified_by(&self.name, Certified::Own(own))?;
        self.shared.current.store(Arc::new(current));
        Ok(())
    }

    /// Renews the derived certificates if a third or less of their lifetime is left at `now`. Returns whether it did.
    /// Call this at least once an hour; it is cheap if there is nothing to do. Your own certificates are never renewed.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new). On an error, nothing is replaced.
    pub fn renew(&self, now: SystemTime) -> Result<bool, IdentityError> {
        let _writing = self.writing();
        let current = self.shared.current.load();
        if !matches!(current.certified, Certified::Derived(issued) if configs::is_due(issued, now)) {
            return Ok(false);
        }
        let renewed = current.certified_by(&self.name, Certified::Derived(now))?;
        self.shared.current.store(Arc::new(renewed));
        Ok(true)
    }

    /// The configuration for outgoing connections: TLS 1.3, HTTP/2, no SNI, no resumption.
    ///
    /// For programs that open connections themselves. The other node responds only if a [`proof`](Self::proof) comes
    /// first in the list of protocols.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.shared.current.load().first().configs.client)
    }

    /// The configuration for incoming connections with a proof of the first secret: TLS 1.3, HTTP/2, no tickets, and
    /// client certificates required.
    ///
    /// For programs that accept connections themselves. It is not silent by itself, because a server presents its
    /// certificate before it sees the client's. Use [`NodeAcceptor`](super::NodeAcceptor) for silence.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.shared.current.load().first().configs.server)
    }

    /// Creates a proof of the first secret for the node `peer`, dated `now`. It has 57 bytes and must come first in
    /// the list of protocols (ALPN) of a single ClientHello.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError`] if the system provides no random numbers, or if `now` is before 1970.
    pub fn proof(&self, peer: &NodeName, now: SystemTime) -> Result<Vec<u8>, IdentityError> {
        prove(&self.shared.current.load().first().proof, peer, now)
    }

    /// The credentials for outgoing connections, in the order in which they are tried.
    pub(super) fn offers(&self) -> Vec<Credentials> {
        self.shared.current.load().credentials.clone()
    }

    pub(super) fn window(&self) -> Duration {
        self.clock_window
    }

    /// The configuration and the term for a connection that offers `protocol` first.
    pub(super) fn admit(
        &self,
        protocol: Option<&[u8]>,
        now: SystemTime,
    ) -> Result<(Arc<ServerConfig>, Term), NodeRejected> {
        let proof = protocol.and_then(Proof::read).ok_or(NodeRejected::NoProof)?;
        let current = self.shared.current.load();
        let credentials = current
            .credentials
            .iter()
            .find(|credentials| proof.is_made_with(&credentials.proof, &self.name))
            .ok_or(NodeRejected::WrongProof)?;
        // Only holders of the secret get this far, so only they can fill memory or the log.
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let window = self.clock_window.as_secs();
        let ahead_by = proof.ahead_of(now);
        if ahead_by.unsigned_abs() > window {
            return Err(NodeRejected::Clock { ahead_by });
        }
        // A proof that is a window ahead is valid for two windows.
        lock(&self.shared.seen).take(proof.nonce(), now, window.saturating_mul(2).saturating_add(1))?;
        Ok((Arc::clone(&credentials.configs.server), credentials.term()))
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        lock(&self.shared.writing)
    }
}

impl fmt::Debug for NodeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeIdentity").field(&self.name).finish()
    }
}

impl Current {
    fn new<'a>(
        context: &str,
        name: &NodeName,
        secrets: impl IntoIterator<Item = &'a Secret>,
        certified: Certified,
        before: &[Credentials],
    ) -> Result<Self, IdentityError> {
        let credentials = secrets.into_iter().map(|secret| {
            let authority = Arc::new(NodeAuthority::derive(secret, context)?);
            let configs = certified.configs(&authority, name)?;
            let same = before.iter().find(|before| before.authority.fingerprint() == authority.fingerprint());
            let held = same.map_or_else(TermOwner::new, |same| same.held.clone());
            Ok(Credentials { proof: Arc::new(ProofKey::derive(secret, context)?), authority, configs, held })
        });
        let credentials = credentials.collect::<Result<Vec<_>, IdentityError>>()?;
        if credentials.is_empty() {
            return Err(Kind::NoSecret.into());
        }
        Ok(Self { credentials, certified })
    }

    /// Creates the same credentials with other certificates.
    fn certified_by(&self, name: &NodeName, certified: Certified) -> Result<Self, IdentityError> {
        let credentials = self.credentials.iter().map(|credentials| {
            let configs = certified.configs(&credentials.authority, name)?;
            Ok(Credentials { configs, ..credentials.clone() })
        });
        Ok(Self { credentials: credentials.collect::<Result<_, IdentityError>>()?, certified })
    }

    fn first(&self) -> &Credentials {
        // There is at least one, see `new`.
        &self.credentials[0]
    }
}

impl Credentials {
    /// The term of a connection that is made with these credentials.
    pub(super) fn term(&self) -> Term {
        self.held.term()
    }
}

impl Certified {
    fn configs(&self, authority: &NodeAuthority, name: &NodeName) -> Result<Configs, IdentityError> {
        match self {
            Self::Derived(now) => Configs::derived(authority, name, *now),
            Self::Own(configs) => Ok(configs.clone()),
        }
    }
}

/// Creates a proof of the secret that `key` is derived from.
pub(super) fn prove(key: &ProofKey, peer: &NodeName, now: SystemTime) -> Result<Vec<u8>, IdentityError> {
    let now = now.duration_since(UNIX_EPOCH).map_err(|_| Kind::Clock)?.as_secs();
    let mut nonce = [0; NONCE];
    random::fill(&mut nonce)?;
    Ok(key.prove(peer, now, nonce))
}

/// Ignores poisoning: nothing here is changed in two steps, so a panic leaves no half-made change behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
    }

    fn node(name: &str, digits: &[&str]) -> NodeIdentity {
        let secrets: Vec<Secret> = digits.iter().map(|digit| digit.repeat(64).parse().unwrap()).collect();
        NodeIdentity::new("example", name.parse().unwrap(), &secrets).unwrap()
    }

    /// Whether `b` accepts a proof that was made at `made` and arrives at `now`.
    fn admitted(b: &NodeIdentity, made: SystemTime, now: SystemTime) -> Result<(), NodeRejected> {
        let proof = node("a", &["1"]).proof(b.name(), made).unwrap();
        b.admit(Some(&proof), now).map(drop)
    }

    #[test]
    fn a_proof_is_valid_within_the_window() {
        let b = node("b", &["1"]);
        for (window, made, now, ahead_by) in [
            (60, 1000, 1000, None),
            (60, 1000, 1060, None),
            (60, 1060, 1000, None),
            (60, 1000, 1061, Some(-61)),
            (60, 1061, 1000, Some(61)),
            (5, 1000, 1006, Some(-6)),
            (5, 1005, 1000, None),
            (0, 1000, 1000, None),
            (0, 1001, 1000, Some(1)),
        ] {
            let b = b.clone().clock_window(Duration::from_secs(window));
            let rejected = match admitted(&b, at(made), at(now)) {
                Ok(()) => None,
                Err(NodeRejected::Clock { ahead_by }) => Some(ahead_by),
                Err(error) => panic!("{error}"),
            };
            assert_eq!(rejected, ahead_by, "window {window}, made at {made}, arrives at {now}");
        }
    }

    #[test]
    fn a_proof_is_valid_only_once_within_the_window() {
        for (made, first, again) in [(1000, 1000, 1000), (1060, 1000, 1120), (1000, 1060, 1060), (1060, 1000, 1059)] {
            let b = node("b", &["2", "1"]);
            let proof = node("a", &["1"]).proof(b.name(), at(made)).unwrap();
            assert!(b.admit(Some(&proof), at(first)).is_ok());
            // It is not forgotten because of other proofs in the meantime.
            let other = node("c", &["2"]);
            for seconds in first..=again {
                b.admit(Some(&other.proof(b.name(), at(seconds)).unwrap()), at(seconds)).unwrap();
            }
            let replayed = b.clone().admit(Some(&proof), at(again));
            assert!(matches!(replayed, Err(NodeRejected::Replayed)), "{made} {first} {again}: {replayed:?}");
        }
    }

    #[test]
    fn rejected_proofs_are_not_remembered() {
        let b = node("b", &["1"]);
        let proof = node("a", &["1"]).proof(b.name(), at(1000)).unwrap();
        assert!(matches!(b.admit(Some(&proof), at(2000)), Err(NodeRejected::Clock { .. })));
        let mut changed = proof.clone();
        changed[56] ^= 1;
        assert!(matches!(b.admit(Some(&changed), at(1000)), Err(NodeRejected::WrongProof)));
        assert!(b.admit(Some(&proof), at(1000)).is_ok());
    }

    #[test]
    fn the_secret_of_the_proof_selects_the_configuration() {
        let b = node("b", &["1", "2"]);
        let offers = b.offers();
        for (digit, expected) in ["1", "2"].into_iter().zip(&offers) {
            let proof = node("a", &[digit]).proof(b.name(), at(0)).unwrap();
            let (config, _) = b.admit(Some(&proof), at(0)).unwrap();
            assert!(Arc::ptr_eq(&config, &expected.configs.server), "{digit}");
        }
        assert!(Arc::ptr_eq(&b.client_config(), &offers[0].configs.client));
        assert!(Arc::ptr_eq(&b.server_config(), &offers[0].configs.server));
    }

    #[test]
    fn a_term_is_over_when_its_secret_is_removed() {
        let b = node("b", &["1", "2"]);
        let term = |digit: &str| {
            let proof = node("a", &[digit]).proof(b.name(), at(0)).unwrap();
            b.admit(Some(&proof), at(0)).unwrap().1
        };
        let (one, two) = (term("1"), term("2"));
        let replace = |digits: [&str; 2]| {
            let secrets: Vec<Secret> = digits.iter().map(|digit| digit.repeat(64).parse().unwrap()).collect();
            b.replace(&secrets).unwrap();
        };
        replace(["2", "1"]);
        assert!(b.renew(SystemTime::now() + NodeAuthority::LIFETIME).unwrap());
        assert!(!one.has_ended() && !two.has_ended());
        replace(["3", "2"]);
        assert!(one.has_ended() && !two.has_ended() && !term("3").has_ended());
    }

    #[test]
    fn impossible_clocks_do_not_panic() {
        let b = node("b", &["1"]);
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert!(b.proof(b.name(), before).is_err());
        assert!(b.renew(before).is_err());
        assert!(matches!(admitted(&b, at(0), before), Err(NodeRejected::Clock { .. })));
    }

    #[test]
    fn debug_shows_only_the_name() {
        assert_eq!(format!("{:?}", node("b", &["1"])), "NodeIdentity(\"b\")");
    }
}
