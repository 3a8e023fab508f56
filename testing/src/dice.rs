use std::time::Duration;

/// Choices that one number repeats: SplitMix64, which is small, and the same everywhere.
pub struct Dice(u64);

impl Dice {
    /// The choices of one seed; each `stream` of it makes choices of its own.
    pub const fn new(seed: u64, stream: u64) -> Self {
        Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95))
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).expect("a small number");
        usize::try_from(self.next() % bound).expect("below a small number")
    }

    /// One of several.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Waits up to so many microseconds: the one kind of moment that no event marks.
    pub async fn pause(&mut self, most: usize) {
        let pause = u64::try_from(self.below(most)).expect("a short while");
        tokio::time::sleep(Duration::from_micros(pause)).await;
    }
}
