use jsonwebtoken::DecodingKey;

use super::{Algorithm, InvalidKeys};

/// A key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// Its name, if it has one.
    pub(super) id: Option<String>,
    /// At least one, all from one family.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) decoding: DecodingKey,
}

impl Key {
    /// An RSA key with this modulus and exponent.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, InvalidKeys> {
        const NEEDED: usize = 2048;
        const MAX: usize = 8192;

        let n = without_zeros(n);
        let bits = bits(n);
        if bits < NEEDED {
            return Err(InvalidKeys::TooShort { bits, needed: NEEDED });
        }
        let e = without_zeros(e);
        if bits > MAX || e.is_empty() || e.len() > 8 {
            return Err(InvalidKeys::Unsupported);
        }
        let algorithms = [
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ];
        Ok(Self::new(algorithms, DecodingKey::from_rsa_raw_components(n, e)))
    }

    /// A key on a NIST curve, as an uncompressed point.
    pub(super) fn ec(point: &[u8], algorithm: Algorithm) -> Result<Self, InvalidKeys> {
        let length = if algorithm == Algorithm::ES256 { 32 } else { 48 };
        if point.len() != 1 + 2 * length || point[0] != 4 {
            return Err(InvalidKeys::Damaged);
        }
        Ok(Self::new([algorithm], DecodingKey::from_ec_der(point)))
    }

    pub(super) fn ed25519(key: &[u8]) -> Result<Self, InvalidKeys> {
        if key.len() != 32 {
            return Err(InvalidKeys::Damaged);
        }
        Ok(Self::new([Algorithm::EDDSA], DecodingKey::from_ed_der(key)))
    }

    pub(super) fn secret(secret: &[u8]) -> Result<Self, InvalidKeys> {
        const NEEDED: usize = 32;

        if secret.len() < NEEDED {
            return Err(InvalidKeys::TooShort { bits: 8 * secret.len(), needed: 8 * NEEDED });
        }
        let all = [(Algorithm::HS256, NEEDED), (Algorithm::HS384, 48), (Algorithm::HS512, 64)];
        let long_enough = all.into_iter().filter(|(_, needed)| secret.len() >= *needed);
        Ok(Self::new(long_enough.map(|(algorithm, _)| algorithm), DecodingKey::from_secret(secret)))
    }

    fn new(algorithms: impl IntoIterator<Item = Algorithm>, decoding: DecodingKey) -> Self {
        Self { id: None, algorithms: algorithms.into_iter().collect(), decoding }
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| 8 * number.len() - first.leading_zeros() as usize)
}
