#include <adjoint/core/random_tensors.h>
#include <adjoint/models/word_vectors.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace adjoint::models {
namespace {

double spread(const Tensor& x) {
  double sum = 0, squares = 0;
  for (const float value : x.span<float>()) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const auto n = static_cast<double>(std::max<int64_t>(x.numel(), 1));
  return std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n)));
}

}  // namespace

nn::Embedding embedding_from(const data::WordVectors& vectors,
                             std::span<const std::string> vocabulary,
                             const WordVectorOptions& options, Generator& generator) {
  const int64_t dim = vectors.dim(), rows = static_cast<int64_t>(vocabulary.size());
  const Tensor table = normal(0, spread(vectors.vectors()), {rows, dim}, DType::f32, generator);
  const float* const from = vectors.vectors().data<float>();
  float* const to = table.mutable_data<float>();
  for (int64_t i = 0; i < rows; ++i) {
    const auto row = vectors.find(vocabulary[static_cast<size_t>(i)]);
    if (row) std::copy_n(from + *row * dim, dim, to + i * dim);
  }
  auto embedding =
      nn::Embedding::from_pretrained(table, options.freeze, {.padding_idx = options.padding_idx});
  embedding.clear_padding();
  return embedding;
}

nn::Embedding embedding_from(const data::WordVectors& vectors, const data::Tokenizer& tokenizer,
                             const WordVectorOptions& options, Generator& generator) {
  std::vector<std::string> vocabulary;
  for (int64_t i = 0; i < tokenizer.vocab_size(); ++i) {
    vocabulary.push_back(tokenizer.id_to_token(static_cast<data::Token>(i)).value_or(""));
  }
  return embedding_from(vectors, vocabulary, options, generator);
}

}  // namespace adjoint::models
