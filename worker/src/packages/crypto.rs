//! `crypto`: hashes, texts for bytes, signatures, random bytes.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use circles_store::CircleId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rhai::{Blob, Dynamic, ImmutableString, Module};
use secp256k1::{Message, ecdsa};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Bytes;
use crate::natives::{Checked, Natives as _, charge, frame, throw};

/// Bytes hashed between looks at the clock: some milliseconds.
const HASH_CHUNK: usize = 1 << 20;
/// Random bytes in one call.
const RANDOM_BYTES: usize = 1 << 20;

pub(crate) fn register(crypto: &mut Module) {
    crypto.native("sha256", |content: Dynamic| -> Checked<Blob> {
        Ok(sha256(&Bytes::of("crypto::sha256", &content)?)?.to_vec())
    });
    crypto.native("hmac_sha256", hmac_sha256);
    crypto.native("hex", |content: Dynamic| hex(&Bytes::of("crypto::hex", &content)?));
    crypto.native("from_hex", |text: &str| {
        charge(text.len() / 2)?;
        from_hex(text).ok_or_else(|| throw("crypto::from_hex: not pairs of hex digits".to_owned()))
    });
    for (name, from_name, alphabet) in
        [("base64", "from_base64", &STANDARD), ("base64url", "from_base64url", &URL_SAFE_NO_PAD)]
    {
        crypto.native(name, move |content: Dynamic| -> Checked<ImmutableString> {
            let content = Bytes::of("crypto::base64", &content)?;
            charge(content.len().div_ceil(3).saturating_mul(4))?;
            Ok(alphabet.encode(&*content).into())
        });
        crypto.native(from_name, move |text: &str| -> Checked<Blob> {
            charge(text.len())?;
            // The decoder's own error would quote bytes.
            alphabet.decode(text).map_err(|_| throw(format!("crypto::{from_name}: not Base64")))
        });
    }
    crypto.native("verify", verify);
    crypto.native("random", random);
    crypto.native("equal", |left: Dynamic, right: Dynamic| -> Checked<bool> {
        let (left, right) = (Bytes::of("crypto::equal", &left)?, Bytes::of("crypto::equal", &right)?);
        Ok(left.ct_eq(&right).into())
    });
}

fn sha256(content: &[u8]) -> Checked<[u8; 32]> {
    let mut hash = Sha256::new();
    for chunk in content.chunks(HASH_CHUNK) {
        hash.update(chunk);
        check_after(chunk)?;
    }
    Ok(hash.finalize().into())
}

fn hmac_sha256(key: Dynamic, content: Dynamic) -> Checked<Blob> {
    let (key, content) =
        (Bytes::of("crypto::hmac_sha256", &key)?, Bytes::of("crypto::hmac_sha256", &content)?);
    // A key may have any length.
    let hash = Hmac::<Sha256>::new_from_slice(&key);
    let mut hash = hash.map_err(|_| throw("crypto::hmac_sha256: not a key".to_owned()))?;
    for chunk in content.chunks(HASH_CHUNK) {
        hash.update(chunk);
        check_after(chunk)?;
    }
    Ok(hash.finalize().into_bytes().to_vec())
}

/// Checks the clock after a chunk large enough to have taken time.
fn check_after(chunk: &[u8]) -> Checked<()> {
    if chunk.len() < HASH_CHUNK { Ok(()) } else { Ok(frame()?.play.meter.check()?) }
}

fn hex(content: &[u8]) -> Checked<ImmutableString> {
    const HEX_DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    charge(content.len().saturating_mul(2))?;
    let mut text = String::with_capacity(content.len() * 2);
    for byte in content {
        text.extend([byte >> 4, byte & 15].map(|digit| HEX_DIGITS[usize::from(digit)]));
    }
    Ok(text.into())
}

fn from_hex(text: &str) -> Option<Blob> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

/// Verifies that the holder of a key signed a message: ECDSA over secp256k1 of its SHA-256, as peers sign
/// challenges. False for a signature of another form. A high S is refused, since anyone could make it from a valid
/// signature.
fn verify(key: &str, message: Dynamic, signature: &str) -> Checked<bool> {
    let id: Option<CircleId> = key.parse().ok();
    let key = id.and_then(|id| secp256k1::PublicKey::from_slice(id.as_bytes()).ok());
    let key = key.ok_or_else(|| throw("crypto::verify: not a public key".to_owned()))?;
    let digest = sha256(&Bytes::of("crypto::verify", &message)?)?;
    let lower = !signature.bytes().any(|byte| byte.is_ascii_uppercase());
    let compact = Some(signature).filter(|text| lower && text.len() == 128).and_then(from_hex);
    let signature = compact
        .and_then(|bytes| <[u8; 64]>::try_from(bytes).ok())
        .and_then(|bytes| ecdsa::Signature::from_compact(&bytes).ok());
    Ok(signature.is_some_and(|signature| signature.verify(Message::from_digest(digest), &key).is_ok()))
}

fn random(bytes: i64) -> Checked<Blob> {
    let wanted = usize::try_from(bytes).ok().filter(|bytes| *bytes <= RANDOM_BYTES);
    let wanted =
        wanted.ok_or_else(|| throw(format!("crypto::random: 0 to {RANDOM_BYTES} bytes at a time")))?;
    charge(wanted)?;
    let mut content = vec![0; wanted];
    getrandom::fill(&mut content)
        .map_err(|_| throw("crypto::random: the system has no random bytes".to_owned()))?;
    Ok(content)
}
