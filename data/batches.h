// Batches of token windows for language models: inputs, and targets one token further on; and of
// texts of different lengths.
//
// A batch is a function of what it was made from and its number: no state, so that a resumed
// training sees what an uninterrupted one would have seen, and threads may ask at once. The tokens
// are not copied and must outlive the object.
#pragma once

#include <adjoint/core/tensor.h>
#include <adjoint/data/tokenizer.h>

#include <cstdint>
#include <span>
#include <vector>

namespace adjoint::data {

struct Batch {
  Tensor inputs;   // (B, T), i64
  Tensor targets;  // (B, T), i64: targets[b, t] follows inputs[b, t] in the text
};

// Windows in random order, each token seen once in a pass over the text: a pass cuts the text at
// multiples of seq_len behind a random start, and shuffles the pieces. (Drawing windows with
// replacement would leave a third of the text unseen in as many draws as a pass has.) Window
// step * batch_size + row is a function of the seed and that number alone.
class RandomBatches {
 public:
  // Throws ConfigError unless there are more than seq_len tokens.
  RandomBatches(std::span<const Token> tokens, int64_t batch_size, int64_t seq_len, uint64_t seed);

  Batch at(int64_t step) const;

 private:
  int64_t start(int64_t window) const;

  std::span<const Token> tokens_;
  int64_t batch_size_, seq_len_;
  uint64_t seed_;
  int64_t offsets_ = 0;  // where a pass may begin
  int64_t windows_ = 0;  // of a pass
};

// The whole text in order, in windows of seq_len that do not overlap: every token but the first is
// a target exactly once. What is left at the end is a batch of one shorter row.
class SequentialBatches {
 public:
  // Throws ConfigError for fewer than two tokens.
  SequentialBatches(std::span<const Token> tokens, int64_t batch_size, int64_t seq_len);

  int64_t size() const;  // batches
  Batch at(int64_t number) const;
  int64_t targets() const { return static_cast<int64_t>(tokens_.size()) - 1; }

 private:
  std::span<const Token> tokens_;
  int64_t batch_size_, seq_len_;
};

// Element `number` of endless passes over [0, count), each in a random order of its own that has
// every index once: a function of its arguments alone.
int64_t shuffled_index(int64_t number, int64_t count, uint64_t seed);

// The items of batch `step` (from 0): each item once in a pass, every pass in an order of its own.
template <class T>
std::vector<const T*> shuffled_batch(const std::vector<T>& items, int64_t step, int64_t batch_size,
                                     uint64_t seed) {
  std::vector<const T*> batch;
  const auto count = static_cast<int64_t>(items.size());
  for (int64_t row = 0; row < batch_size; ++row) {
    const int64_t index = shuffled_index(step * batch_size + row, count, seed);
    batch.push_back(&items[static_cast<size_t>(index)]);
  }
  return batch;
}

// Texts side by side, filled up behind their ends.
struct PaddedBatch {
  Tensor tokens;   // (B, T), i64, T being the length of the longest, at least 1
  Tensor padding;  // (B, T), bool: true where there is no text
};
PaddedBatch pad_batch(std::span<const std::span<const Token>> texts, Token pad);

}  // namespace adjoint::data
