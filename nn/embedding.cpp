#include <adjoint/core/autograd.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/init.h>

#include <sstream>

namespace adjoint::nn {

Embedding::Embedding(int64_t num_embeddings, int64_t embedding_dim, const EmbeddingOptions& options)
    : num_embeddings_(num_embeddings),
      embedding_dim_(embedding_dim),
      padding_idx_(options.padding_idx) {
  check<ConfigError>(num_embeddings >= 0 && embedding_dim >= 0, "Embedding: ", num_embeddings,
                     " rows of ", embedding_dim, "; expected 0 or more");
  if (padding_idx_) {
    check<ConfigError>(*padding_idx_ >= -num_embeddings && *padding_idx_ < num_embeddings,
                       "Embedding: padding_idx ", *padding_idx_, "; expected a row of ",
                       num_embeddings);
    if (*padding_idx_ < 0) *padding_idx_ += num_embeddings;
  }
  weight = Parameter(empty({num_embeddings, embedding_dim}));
  init::normal_(weight);
  clear_padding();
}

void Embedding::clear_padding() const {
  if (!padding_idx_) return;
  const NoGrad no_grad;
  init::zeros_(select(weight, 0, *padding_idx_));
}

Tensor Embedding::forward(const Tensor& indices) const {
  return embedding(indices, weight, padding_idx_);
}

std::string Embedding::describe() const {
  std::ostringstream out;
  out << num_embeddings_ << ", " << embedding_dim_;
  if (padding_idx_) out << ", padding_idx=" << *padding_idx_;
  return out.str();
}

}  // namespace adjoint::nn
