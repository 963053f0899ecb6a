#include <adjoint/core/error.h>
#include <adjoint/core/factories.h>
#include <adjoint/core/layout.h>
#include <adjoint/data/word_vectors.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace adjoint::data {
namespace {

std::string error_of(const std::string& text) {
  try {
    WordVectors::parse(text, "v.txt");
  } catch (const IoError& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(WordVectors, ReadsBothFormats) {
  const std::string lines = "king 1 0.5\nqueen 1 -2.5e-1\n, 0 0\r\ncaf\u00e9 -1 -0.5 \n";
  for (const std::string& text : {lines, "4 2\n" + lines, lines.substr(0, lines.size() - 1)}) {
    const WordVectors vectors = WordVectors::parse(text);
    EXPECT_EQ(vectors.words(), (std::vector<std::string>{"king", "queen", ",", "caf\u00e9"}));
    EXPECT_EQ(vectors.vectors().shape(), (Shape{4, 2}));
    EXPECT_EQ(vectors.vectors().data<float>()[3], -0.25F);
    EXPECT_EQ(vectors.find("queen"), 1);
    EXPECT_EQ(vectors.find("prince"), std::nullopt);
  }
}

TEST(WordVectors, NeighboursByCosine) {
  const WordVectors vectors = WordVectors::parse("a 1 0\nb 10 10\nc 0 2\nd -1 0\nzero 0 0\n");
  const auto near = vectors.nearest("a", 3);
  ASSERT_EQ(near.size(), 3U);
  EXPECT_EQ(near[0].word, "b");
  EXPECT_NEAR(near[0].similarity, 0.70710678, 1e-8);
  EXPECT_EQ(near[1].word, "c");  // 0, as the vector of zeros is, but first
  EXPECT_EQ(near[1].similarity, 0);
  EXPECT_EQ(near[2].word, "zero");
  EXPECT_EQ(vectors.nearest("a", 9).back().word, "d");
  EXPECT_EQ(vectors.nearest("a", 9).size(), 4U);
  const WordVectors copy = vectors;
  EXPECT_EQ(copy.nearest(select(vectors.vectors(), 0, 1), 1)[0].word, "b");
  EXPECT_THROW(vectors.nearest("x"), IndexError);
  EXPECT_THROW(vectors.nearest(zeros({3})), ShapeError);
  EXPECT_THROW(vectors.nearest("a", -1), ConfigError);
}

TEST(WordVectors, RefusesWrongFiles) {
  EXPECT_EQ(error_of(""), "v.txt: no vectors in it");
  EXPECT_EQ(error_of("word\n"), "v.txt: no vectors in it");
  EXPECT_EQ(error_of("a 1 2\nb 1\n"), "v.txt: line 2: 1 numbers; expected 2");
  EXPECT_EQ(error_of("a 1 2\nb 1 2 3\n"), "v.txt: line 2: 3 numbers; expected 2");
  EXPECT_EQ(error_of("a 1 x\n"), "v.txt: line 1: \"x\" is no finite number");
  EXPECT_EQ(error_of("a 1 inf\n"), "v.txt: line 1: \"inf\" is no finite number");
  EXPECT_EQ(error_of("a 1 1e99\n"), "v.txt: line 1: \"1e99\" is no finite number");
  EXPECT_EQ(error_of("a 1  2\nb 1 2\n"), "v.txt: line 1: \"\" is no finite number");
  EXPECT_EQ(error_of(" 1 2\n"), "v.txt: line 1: a line without a word");
  EXPECT_EQ(error_of("a 1 2\n\nb 1 2\n"), "v.txt: line 2: a line without a word");
  EXPECT_EQ(error_of("\xff 1 2\n"), "v.txt: line 1: the word is not valid UTF-8");
  EXPECT_EQ(error_of("a 1 2\na 1 2\n"), "v.txt: the word \"a\" comes twice");
  EXPECT_EQ(error_of("3 2\na 1 2\n"), "v.txt: line 1: it says 3 vectors, but 1 lines follow");
  EXPECT_EQ(error_of("1 0\na\n"), "v.txt: line 1: it says 0 numbers a vector; expected 1 to 6");
  EXPECT_NE(error_of("2 9\na 1\nb 1\n").find("do not fit in"), std::string::npos);
}

}  // namespace
}  // namespace adjoint::data
