// Rows of a table, looked up by index.
#pragma once

#include <adjoint/nn/module.h>

#include <optional>

namespace adjoint::nn {

struct EmbeddingOptions {
  // This row starts as zeros and gets no gradient. Negative counts from the end.
  std::optional<int64_t> padding_idx = std::nullopt;
};

// i64 indices of any shape -> shape + (embedding_dim). Starts from normal(0, 1). ConfigError for
// negative sizes or a padding_idx outside of the table.
class Embedding : public Module<Embedding> {
 public:
  Embedding(int64_t num_embeddings, int64_t embedding_dim, const EmbeddingOptions& options = {});

  Tensor forward(const Tensor& indices) const;
  void members(Visitor& v) override { v("weight", weight); }
  std::string describe() const override;

  int64_t num_embeddings() const { return num_embeddings_; }
  int64_t embedding_dim() const { return embedding_dim_; }
  const std::optional<int64_t>& padding_idx() const { return padding_idx_; }
  // Makes the row padding_idx zeros again, if there is one: for those who draw the weight anew.
  void clear_padding() const;

  Parameter weight;  // (num_embeddings, embedding_dim)

 private:
  int64_t num_embeddings_, embedding_dim_;
  std::optional<int64_t> padding_idx_;
};

}  // namespace adjoint::nn
