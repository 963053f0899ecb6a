// Vectors of words in the text formats of GloVe (a word and its numbers a line) and word2vec (the
// same behind a line with the two sizes).
//
//   const auto glove = data::WordVectors::load("glove.6B.300d.txt");
//   for (const auto& [word, similarity] : glove.nearest("frog", 5)) ...
//
// models/word_vectors.h makes an Embedding of them.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace adjoint::data {

class WordVectors {
 public:
  struct Neighbour {
    std::string word;
    double similarity;  // cosine, -1 to 1
  };

  // Strict: UTF-8, one blank between fields (one at the end of a line, and CR, are passed over), as
  // many finite numbers in each line, no word twice, as many lines as the sizes say. IoError naming
  // source, line and what is wrong. Takes at most three times the text's size.
  static WordVectors load(const std::string& path);
  static WordVectors parse(std::string_view text, std::string_view source = "word vectors");

  // ShapeError unless vectors is (words, dim), DTypeError unless f32, ConfigError for a word that
  // comes twice.
  WordVectors(std::vector<std::string> words, Tensor vectors);

  int64_t size() const { return static_cast<int64_t>(words_->size()); }
  int64_t dim() const { return vectors_.size(1); }
  const std::vector<std::string>& words() const { return *words_; }
  const Tensor& vectors() const { return vectors_; }  // (N, D) f32

  // The row of a word.
  std::optional<int64_t> find(std::string_view word) const;

  // The k words whose vectors have the largest cosine with a word's, itself left out, or with a
  // vector (D); the most similar first, equals by their row. A vector of zeros is similar to none:
  // its cosine is 0. IndexError for an unknown word, ShapeError for another length, ConfigError for
  // a negative k.
  std::vector<Neighbour> nearest(std::string_view word, int64_t k = 10) const;
  std::vector<Neighbour> nearest(const Tensor& vector, int64_t k = 10) const;

 private:
  std::vector<Neighbour> nearest(const float* query, int64_t k, int64_t left_out) const;

  // Shared by copies: views into the words are the keys of rows_.
  std::shared_ptr<const std::vector<std::string>> words_;
  std::shared_ptr<const std::unordered_map<std::string_view, int64_t>> rows_;
  Tensor vectors_;
};

}  // namespace adjoint::data
