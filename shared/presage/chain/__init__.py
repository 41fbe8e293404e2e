"""The Solana programme `zmart_core`: its encodings, its arithmetic, its transactions."""
