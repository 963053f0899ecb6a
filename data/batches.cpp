#include <adjoint/core/error.h>
#include <adjoint/core/random.h>
#include <adjoint/data/batches.h>

#include <algorithm>

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
}

Batch RandomBatches::at(int64_t step) const {
  const uint64_t starts = tokens_.size() - static_cast<uint64_t>(seq_len_);
  return gather(tokens_, batch_size_, seq_len_, [&](int64_t row) {
    const PhiloxBlock block =
        philox(seed_, static_cast<uint64_t>(step), static_cast<uint64_t>(row));
    // Of 64 bits the remainder's bias is below 2^-24 for any text that memory can hold.
    return static_cast<int64_t>((uint64_t{block.word[1]} << 32 | block.word[0]) % starts);
  });
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
