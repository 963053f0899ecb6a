#include <adjoint/core/autograd.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/init.h>

#include "nn/detail/describe.h"

namespace adjoint::nn {
namespace {

// The row's number, counted from the front.
std::optional<int64_t> checked_padding(const char* name, const std::optional<int64_t>& padding_idx,
                                       int64_t rows) {
  if (!padding_idx) return padding_idx;
  check<ConfigError>(*padding_idx >= -rows && *padding_idx < rows, name, ": padding_idx ",
                     *padding_idx, "; expected a row of ", rows);
  return *padding_idx < 0 ? *padding_idx + rows : *padding_idx;
}

void check_table(const char* name, int64_t rows, int64_t width, double max_norm, double norm_type) {
  check<ConfigError>(rows >= 0 && width >= 0, name, ": ", rows, " rows of ", width,
                     "; expected 0 or more");
  check<ConfigError>(max_norm > 0, name, ": max_norm ", max_norm, "; expected a positive number");
  check<ConfigError>(norm_type > 0, name, ": norm_type ", norm_type,
                     "; expected a positive number");
}

void clear_row(const Parameter& weight, const std::optional<int64_t>& row) {
  if (!row) return;
  const NoGrad no_grad;
  init::zeros_(select(weight, 0, *row));
}

// Makes the rows that are looked up at most max_norm long, as PyTorch's embedding_renorm_.
void shorten(const Tensor& weight, const Tensor& indices, double max_norm, double norm_type) {
  const NoGrad no_grad;
  const Tensor rows = indices.reshape({-1});
  const Tensor found = embedding(rows, weight);
  const Tensor norms = norm(found, norm_type, {1}, kKeepDim);
  if (!any(gt(norms, max_norm))) return;
  // A row that is looked up twice is written twice, with the same values.
  const Tensor factors = where(gt(norms, max_norm), max_norm / (norms + 1e-7), 1.0);
  index_copy_(weight, 0, rows, found * factors);
}

}  // namespace

// --- Embedding ---

Embedding::Embedding(int64_t num_embeddings, int64_t embedding_dim, const EmbeddingOptions& options)
    : Embedding((check_table("Embedding", num_embeddings, embedding_dim, 1, 1),
                 empty({num_embeddings, embedding_dim})),
                options) {
  init::normal_(weight);
  clear_padding();
}

Embedding::Embedding(const Tensor& rows, const EmbeddingOptions& options)
    : num_embeddings_(rows.size(0)), embedding_dim_(rows.size(1)), options_(options) {
  check_table("Embedding", num_embeddings_, embedding_dim_, options.max_norm.value_or(1),
              options.norm_type);
  options_.padding_idx = checked_padding("Embedding", options.padding_idx, num_embeddings_);
  weight = Parameter(rows);
}

Embedding Embedding::from_pretrained(const Tensor& embeddings, bool freeze,
                                     const EmbeddingOptions& options) {
  check<ConfigError>(embeddings.dim() == 2, "Embedding: embeddings of shape ", embeddings.shape(),
                     "; expected (num_embeddings, embedding_dim)");
  Embedding made(embeddings.clone(), options);
  made.weight.requires_grad_(!freeze);
  return made;
}

void Embedding::clear_padding() const { clear_row(weight, options_.padding_idx); }

Tensor Embedding::forward(const Tensor& indices) const {
  const Tensor w = weight;
  if (options_.max_norm) shorten(w, indices, *options_.max_norm, options_.norm_type);
  return embedding(indices, w, options_.padding_idx);
}

std::string Embedding::describe() const {
  detail::Description out;
  out(num_embeddings_)(embedding_dim_);
  if (options_.padding_idx) out("padding_idx", *options_.padding_idx);
  if (options_.max_norm) out("max_norm", *options_.max_norm);
  if (options_.norm_type != 2) out("norm_type", options_.norm_type);
  return out;
}

// --- EmbeddingBag ---

EmbeddingBag::EmbeddingBag(int64_t num_embeddings, int64_t embedding_dim,
                           const EmbeddingBagLayerOptions& options)
    : num_embeddings_(num_embeddings), embedding_dim_(embedding_dim), options_(options) {
  check_table("EmbeddingBag", num_embeddings, embedding_dim, options.max_norm.value_or(1),
              options.norm_type);
  options_.padding_idx = checked_padding("EmbeddingBag", options.padding_idx, num_embeddings);
  weight = Parameter(empty({num_embeddings, embedding_dim}));
  init::normal_(weight);
  clear_row(weight, options_.padding_idx);
}

Tensor EmbeddingBag::forward(const Tensor& indices, const Tensor& offsets,
                             const Tensor& per_sample_weights) const {
  const Tensor w = weight;
  if (options_.max_norm) shorten(w, indices, *options_.max_norm, options_.norm_type);
  return embedding_bag(indices, w,
                       {.offsets = offsets,
                        .mode = options_.mode,
                        .per_sample_weights = per_sample_weights,
                        .include_last_offset = options_.include_last_offset,
                        .padding_idx = options_.padding_idx});
}

std::string EmbeddingBag::describe() const {
  detail::Description out;
  out(num_embeddings_)(embedding_dim_);
  if (options_.max_norm) out("max_norm", *options_.max_norm);
  if (options_.norm_type != 2) out("norm_type", options_.norm_type);
  const auto mode = options_.mode;
  out("mode", mode == EmbeddingBagMode::sum    ? "'sum'"
              : mode == EmbeddingBagMode::mean ? "'mean'"
                                               : "'max'");
  if (options_.padding_idx) out("padding_idx", *options_.padding_idx);
  return out;
}

}  // namespace adjoint::nn
