use std::time::Duration;

/// A deterministic random generator: SplitMix64, which is small, and the same on every platform.
pub struct SeededRng(u64);

impl SeededRng {
    /// A generator of this seed; each `stream` of a seed differs.
    pub const fn new(seed: u64, stream: u64) -> Self {
        Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).expect("a small number");
        usize::try_from(self.next_u64() % bound).expect("below a small number")
    }

    /// One of these choices.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Waits up to `max_micros` microseconds, to act at a moment that no event marks.
    pub async fn pause(&mut self, max_micros: usize) {
        let pause = u64::try_from(self.below(max_micros)).expect("a short while");
        tokio::time::sleep(Duration::from_micros(pause)).await;
    }
}
