// Attention.
#pragma once

#include <adjoint/core/random.h>
#include <adjoint/core/tensor.h>

#include <optional>

namespace adjoint {

struct AttentionOptions {
  Tensor mask = {};  // broadcasts to (..., L, S): bool (true takes part) or floating (added)
  double dropout_p = 0.0;
  bool is_causal = false;  // query i sees keys j <= i (top-left aligned), not with a mask
  std::optional<double> scale = std::nullopt;  // 1 / sqrt(E)
  Generator* generator = nullptr;              // of the dropout; the thread's own by default
};
// softmax(q k^T scale + mask) v: q (..., L, E), k (..., S, E), v (..., S, Ev) -> (..., L, Ev).
// Vaswani et al. 2017, arXiv 1706.03762, equation 1. A row without any key gives zeros.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options = {});

}  // namespace adjoint
