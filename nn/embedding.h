// Rows of a table, looked up by index, one by one or as sums of bags.
#pragma once

#include <adjoint/core/embedding.h>
#include <adjoint/nn/module.h>

#include <optional>

namespace adjoint::nn {

struct EmbeddingOptions {
  // This row starts as zeros and gets no gradient. Negative counts from the end.
  std::optional<int64_t> padding_idx = std::nullopt;
  // Rows that are looked up and have a larger norm are first made that long, in the weight itself.
  std::optional<double> max_norm = std::nullopt;
  double norm_type = 2.0;  // which norm
};

// i64 indices of any shape -> shape + (embedding_dim). Starts from normal(0, 1). ConfigError for
// negative sizes, a padding_idx outside of the table, a norm that is not positive.
class Embedding : public Module<Embedding> {
 public:
  Embedding(int64_t num_embeddings, int64_t embedding_dim, const EmbeddingOptions& options = {});
  // Takes the rows (num_embeddings, embedding_dim) as they are; frozen, they do not train.
  static Embedding from_pretrained(const Tensor& embeddings, bool freeze = true,
                                   const EmbeddingOptions& options = {});

  Tensor forward(const Tensor& indices) const;
  void members(Visitor& v) override { v("weight", weight); }
  std::string describe() const override;

  int64_t num_embeddings() const { return num_embeddings_; }
  int64_t embedding_dim() const { return embedding_dim_; }
  const std::optional<int64_t>& padding_idx() const { return options_.padding_idx; }
  // Makes the row padding_idx zeros again, if there is one: for those who draw the weight anew.
  void clear_padding() const;

  Parameter weight;  // (num_embeddings, embedding_dim)

 private:
  Embedding(const Tensor& weight, const EmbeddingOptions& options);

  int64_t num_embeddings_, embedding_dim_;
  EmbeddingOptions options_;
};

struct EmbeddingBagLayerOptions {
  std::optional<double> max_norm = std::nullopt;  // as in Embedding
  double norm_type = 2.0;
  EmbeddingBagMode mode = EmbeddingBagMode::mean;
  bool include_last_offset = false;  // whether the last offset is the end of the last bag
  std::optional<int64_t> padding_idx = std::nullopt;  // a row that starts as zeros, in no bag
};

// Sums, means or maxima of bags of rows, (bags, embedding_dim): the operator embedding_bag. The
// bags are the rows of indices (bags, length), or begin at `offsets` among indices of one
// dimension; per_sample_weights, of mode sum only, has their shape. Starts as Embedding.
// ConfigError likewise.
class EmbeddingBag : public Module<EmbeddingBag> {
 public:
  EmbeddingBag(int64_t num_embeddings, int64_t embedding_dim,
               const EmbeddingBagLayerOptions& options = {});

  Tensor forward(const Tensor& indices, const Tensor& offsets = {},
                 const Tensor& per_sample_weights = {}) const;
  void members(Visitor& v) override { v("weight", weight); }
  std::string describe() const override;

  Parameter weight;  // (num_embeddings, embedding_dim)

 private:
  int64_t num_embeddings_, embedding_dim_;
  EmbeddingBagLayerOptions options_;
};

}  // namespace adjoint::nn
