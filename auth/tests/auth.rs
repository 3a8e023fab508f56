//! The challenge and its signatures, against vectors that other languages can use and against random input.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A test fails on a missing value.

use circles_auth::{Challenge, Mismatch, Nonce, PublicKey, SecretKey, Signature};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors.json");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    name: String,
    secret_key: String,
    circle: String,
    audience: String,
    pubkey: String,
    nonce: String,
    expires: u64,
    challenge: String,
    sha256: String,
    signature: String,
    /// Verifies mathematically, but is refused for its high S.
    signature_high_s: String,
}

fn key(seed: u8) -> SecretKey {
    format!("{:064x}", u64::from(seed) + 1).parse().unwrap()
}

fn challenge(expires: u64, nonce: [u8; 32], audience: &str) -> Challenge {
    Challenge {
        circle: key(1).public_key(),
        audience: audience.to_owned(),
        pubkey: key(0).public_key(),
        nonce: Nonce(nonce),
        expires,
    }
}

#[test]
fn published_vectors_verify() {
    let vectors: Vec<Vector> = serde_json::from_str(&std::fs::read_to_string(VECTORS).unwrap()).unwrap();
    assert!(vectors.len() >= 3);
    for vector in vectors {
        let key: SecretKey = vector.secret_key.parse().unwrap();
        let challenge = Challenge {
            circle: vector.circle.parse().unwrap(),
            audience: vector.audience,
            pubkey: vector.pubkey.parse().unwrap(),
            nonce: vector.nonce.parse().unwrap(),
            expires: vector.expires,
        };
        assert_eq!(key.public_key(), challenge.pubkey, "{}", vector.name);
        assert_eq!(challenge.to_string(), vector.challenge, "{}", vector.name);
        assert_eq!(vector.challenge.parse(), Ok(challenge), "{}", vector.name);
        // RFC 6979 makes signatures repeatable; other libraries may sign otherwise, and must verify.
        let signature = key.sign(&vector.challenge);
        assert_eq!(signature.to_string(), vector.signature, "{}", vector.name);
        key.public_key().verify(&vector.challenge, &signature).unwrap();
        let high: Signature = vector.signature_high_s.parse().unwrap();
        assert!(key.public_key().verify(&vector.challenge, &high).is_err(), "{}: high S", vector.name);
    }
}

#[test]
fn challenge_for_another_party_is_not_signed() {
    let ours = key(0).public_key();
    let challenge = challenge(1, [7; 32], "ws://a:1");
    assert_eq!(challenge.check(Some(key(1).public_key()), "ws://a:1", ours), Ok(()));
    assert_eq!(challenge.check(None, "ws://a:1", ours), Ok(()));
    assert!(matches!(challenge.check(Some(ours), "ws://a:1", ours), Err(Mismatch::Circle { .. })));
    assert!(matches!(challenge.check(None, "ws://a:2", ours), Err(Mismatch::Audience { .. })));
    assert!(matches!(challenge.check(None, "wss://a:1", ours), Err(Mismatch::Audience { .. })));
    assert!(matches!(challenge.check(None, "ws://a:1", key(2).public_key()), Err(Mismatch::Key { .. })));
}

#[test]
fn public_key_off_the_curve_is_refused() {
    // x = 5 is no square on secp256k1.
    let text = format!("02{:064x}", 5);
    assert!(text.parse::<circles_api::CircleId>().is_ok());
    assert!(text.parse::<PublicKey>().is_err());
}

#[test]
fn debug_output_hides_secret_key() {
    let key = key(41);
    assert!(!format!("{key:?}").contains(&key.to_hex()));
}

#[test]
fn secret_keys_out_of_range_are_refused() {
    let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    for text in ["", "00", &"0".repeat(64), order, &"F".repeat(64), &"g".repeat(64)] {
        assert!(text.parse::<SecretKey>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn challenge_round_trips_through_its_text(
        expires: u64,
        nonce: [u8; 32],
        audience in "wss?://[a-z0-9.]{1,20}(:[1-9][0-9]{0,3})?",
    ) {
        let challenge = challenge(expires, nonce, &audience);
        prop_assert_eq!(challenge.to_string().parse(), Ok(challenge));
    }

    #[test]
    fn changed_text_breaks_the_signature(at in 0..300_usize, to in "[a-z0-9 \n:]") {
        let text = challenge(1_763_694_060, [9; 32], "ws://127.0.0.1:9001").to_string();
        let at = at % text.len();
        let mut changed = text.clone();
        changed.replace_range(at..=at, &to);
        prop_assume!(changed != text);
        let signature = key(0).sign(&text);
        prop_assert!(key(0).public_key().verify(&changed, &signature).is_err());
        // A changed text is either no challenge or another one.
        if let Ok(parsed) = changed.parse::<Challenge>() {
            prop_assert_eq!(parsed.to_string(), changed);
        }
    }

    #[test]
    fn signature_verifies_under_one_key_only(seed in 1..200_u8) {
        let text = challenge(1, [1; 32], "ws://a").to_string();
        prop_assert!(key(seed).public_key().verify(&text, &key(0).sign(&text)).is_err());
    }

    #[test]
    fn arbitrary_text_is_no_challenge(text in "\\PC*") {
        prop_assert!(text.parse::<Challenge>().is_err());
    }

    #[test]
    fn arbitrary_signature_does_not_verify(bytes in proptest::collection::vec(any::<u8>(), 64)) {
        let signature: Signature = circles_api::hex::encode(&bytes).parse().unwrap();
        prop_assert!(key(0).public_key().verify("text", &signature).is_err());
    }
}
