#include <adjoint/data/word_tokenizer.h>
#include <adjoint/models/word_vectors.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace adjoint::models {
namespace {

TEST(WordVectors, BecomeTheRowsOfAnEmbedding) {
  const auto vectors = data::WordVectors::parse("cat 1 2\ndog 3 4\n");
  const std::vector<std::string> vocabulary = {"<pad>", "dog", "cat", "emu"};
  Generator generator(3);
  const nn::Embedding embedding =
      embedding_from(vectors, vocabulary, {.padding_idx = 0}, generator);
  const auto rows = embedding.weight.value().span<float>();
  EXPECT_EQ(std::vector<float>(rows.begin(), rows.begin() + 6),
            (std::vector<float>{0, 0, 3, 4, 1, 2}));
  EXPECT_NE(rows[6], 0);
  EXPECT_FALSE(embedding.weight.requires_grad());
  EXPECT_TRUE(embedding_from(vectors, vocabulary, {.freeze = false}).weight.requires_grad());

  const std::vector<std::string> texts = {"a dog, a dog"};
  const auto words = data::WordTokenizer::from_texts(texts);
  const nn::Embedding of_tokens = embedding_from(vectors, words);
  EXPECT_EQ(of_tokens.num_embeddings(), words.vocab_size());
  const auto dog = static_cast<size_t>(words.token_to_id("dog").value());
  EXPECT_EQ(of_tokens.weight.value().span<float>()[2 * dog], 3);
}

}  // namespace
}  // namespace adjoint::models
