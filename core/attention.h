// Attention, and the positions of what attends.
#pragma once

#include <adjoint/core/random.h>
#include <adjoint/core/tensor.h>

#include <cstdint>
#include <optional>

namespace adjoint {

// A query at position p sees keys p - left to p + right; negative: without limit.
struct AttentionWindow {
  int64_t left = -1, right = -1;
};
struct AttentionOptions {
  Tensor mask = {};  // broadcasts to (..., L, S): bool (true takes part) or floating (added)
  double dropout_p = 0.0;
  bool is_causal = false;  // a query at position p sees keys up to p, not with a mask
  std::optional<double> scale = std::nullopt;  // 1 / sqrt(E)
  Generator* generator = nullptr;              // of the dropout; the thread's own by default
  // query (..., heads, L, E), key and value of fewer heads, which divide those of the queries: head
  // h reads head h / (heads / theirs), without copies.
  bool enable_gqa = false;
  AttentionWindow window = {};  // what lies outside costs nothing
  // Scores lose slope |p - key's position|; (heads), or what broadcasts to the batch. Press et al.
  // 2021, arXiv 2108.12409; see alibi_slopes().
  Tensor alibi_slopes = {};
  // The position of the first query among the keys, for is_causal, window and slopes: 0 is
  // PyTorch's causal mask; S - 1 for the last token of a cache.
  int64_t query_offset = 0;
};
// softmax(q k^T scale + mask) v: q (..., L, E), k (..., S, E), v (..., S, Ev) -> (..., L, Ev).
// Vaswani et al. 2017, arXiv 1706.03762, equation 1. A row without any key gives zeros.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options = {});
// The slopes of Press et al.: 2^(-8 (h + 1) / heads), for numbers of heads that are no power of two
// those of the next smaller one and then every other one of the next larger. No gradient.
Tensor alibi_slopes(int64_t heads, DType dtype = DType::f32);

// The angles of rotary positions: cos and sin (length, width / 2) of (offset + row) base^(-2 column
// / width). Su et al. 2021, arXiv 2104.09864. No gradient.
struct RotaryTables {
  Tensor cos, sin;
};
RotaryTables rotary_tables(int64_t length, int64_t width, double base = 10000.0, int64_t offset = 0,
                           DType dtype = DType::f32);
struct RotaryOptions {
  // Which two elements turn together: 2 i and 2 i + 1 (Su et al., GPT-J), or i and i + width / 2
  // (GPT-NeoX, Llama).
  bool interleaved = false;
  int64_t offset = 0;     // the row of the tables for the first position
  Tensor positions = {};  // i64, the row for each position: broadcasts to x's shape but the last
};
// x (..., length, width) with its pairs turned by the angles of their positions: cos and sin (rows,
// n), of which the first 2 n elements are turned; the others stay.
Tensor rotary_embedding(const Tensor& x, const Tensor& cos, const Tensor& sin,
                        const RotaryOptions& options = {});

}  // namespace adjoint
