#include <adjoint/core/error.h>
#include <adjoint/core/random.h>
#include <adjoint/data/batches.h>

#include <algorithm>

#include "data/support/permutation.h"

namespace adjoint::data {
namespace {

// Keeps the order of the data apart from other uses of the same seed ("batch").
constexpr uint64_t kSalt = 0x62'61'74'63'68;

// Both tensors of rows that begin at start(row).
template <class Start>
Batch gather(std::span<const Token> tokens, int64_t rows, int64_t length, Start&& start) {
  Batch batch{empty({rows, length}, DType::i64), empty({rows, length}, DType::i64)};
  auto* inputs = batch.inputs.mutable_data<int64_t>();
  auto* targets = batch.targets.mutable_data<int64_t>();
  for (int64_t row = 0; row < rows; ++row) {
    const Token* from = tokens.data() + start(row);
    std::copy(from, from + length, inputs + row * length);
    std::copy(from + 1, from + 1 + length, targets + row * length);
  }
  return batch;
}

void check_sizes(int64_t batch_size, int64_t seq_len) {
  check<ConfigError>(batch_size >= 1, "batches: batch_size ", batch_size, "; expected at least 1");
  check<ConfigError>(seq_len >= 1, "batches: seq_len ", seq_len, "; expected at least 1");
}

}  // namespace

RandomBatches::RandomBatches(std::span<const Token> tokens, int64_t batch_size, int64_t seq_len,
                             uint64_t seed)
    : tokens_(tokens), batch_size_(batch_size), seq_len_(seq_len), seed_(seed ^ kSalt) {
  check_sizes(batch_size, seq_len);
  const auto count = static_cast<int64_t>(tokens.size());
  check<ConfigError>(count > seq_len, "batches: a context of ", seq_len,
                     " tokens is longer than the text, which has ", count, " (one more than the ",
                     "context is needed); expected a shorter context or a longer text");
  const int64_t starts = count - seq_len;  // a window and the token after it begin before this
  offsets_ = std::min(starts, seq_len);
  windows_ = std::max<int64_t>(1, starts / seq_len);
}

int64_t RandomBatches::start(int64_t window) const {
  const auto pass = static_cast<uint64_t>(window / windows_);
  const PhiloxBlock block = philox(seed_, pass, 0);
  // Of 64 bits the remainder's bias is below 2^-24 for any context that memory can hold.
  const uint64_t bits = uint64_t{block.word[1]} << 32 | block.word[0];
  const auto offset = static_cast<int64_t>(bits % static_cast<uint64_t>(offsets_));
  return offset + shuffled(window % windows_, windows_, seed_, pass) * seq_len_;
}

Batch RandomBatches::at(int64_t step) const {
  return gather(tokens_, batch_size_, seq_len_,
                [&](int64_t row) { return start(step * batch_size_ + row); });
}

SequentialBatches::SequentialBatches(std::span<const Token> tokens, int64_t batch_size,
                                     int64_t seq_len)
    : tokens_(tokens), batch_size_(batch_size), seq_len_(seq_len) {
  check_sizes(batch_size, seq_len);
  check<ConfigError>(tokens.size() >= 2, "batches: ", tokens.size(),
                     " tokens; predicting one needs at least two");
}

int64_t SequentialBatches::size() const {
  const int64_t windows = targets() / seq_len_;
  return (windows + batch_size_ - 1) / batch_size_ + (targets() % seq_len_ != 0 ? 1 : 0);
}

int64_t shuffled_index(int64_t number, int64_t count, uint64_t seed) {
  check<ConfigError>(number >= 0 && count >= 1, "shuffled_index: number ", number,
                     " of passes over ", count, "; expected at least 0 and 1");
  return shuffled(number % count, count, seed ^ kSalt, static_cast<uint64_t>(number / count));
}

PaddedBatch pad_batch(std::span<const std::span<const Token>> texts, Token pad) {
  size_t longest = 1;
  for (const auto& text : texts) longest = std::max(longest, text.size());
  const Shape shape{static_cast<int64_t>(texts.size()), static_cast<int64_t>(longest)};
  PaddedBatch batch{full(shape, int64_t{pad}, DType::i64), full(shape, true, DType::boolean)};
  auto* tokens = batch.tokens.mutable_data<int64_t>();
  auto* padding = batch.padding.mutable_data<bool>();
  for (size_t row = 0; row < texts.size(); ++row) {
    std::copy(texts[row].begin(), texts[row].end(), tokens + row * longest);
    std::fill_n(padding + row * longest, texts[row].size(), false);
  }
  return batch;
}

Batch SequentialBatches::at(int64_t number) const {
  check<IndexError>(number >= 0 && number < size(), "SequentialBatches: batch ", number, " of ",
                    size());
  const int64_t windows = targets() / seq_len_;
  const int64_t first = number * batch_size_;
  if (first >= windows) {
    return gather(tokens_, 1, targets() % seq_len_, [&](int64_t) { return windows * seq_len_; });
  }
  return gather(tokens_, std::min(batch_size_, windows - first), seq_len_,
                [&](int64_t row) { return (first + row) * seq_len_; });
}

}  // namespace adjoint::data
