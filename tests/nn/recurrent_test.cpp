// Recurrent layers beyond the module table: sequences of several lengths, what hooks see, errors.
#include <adjoint/core/layout.h>
#include <adjoint/nn/recurrent.h>
#include <adjoint/nn/summary.h>

#include "tests/core/numeric.h"

namespace adjoint::nn {
namespace {

using Tensors = std::vector<Tensor>;

// A list of sequences, padded, gives each what it gets alone; stacked and in both directions.
TEST(RecurrentLayers, SequencesOfSeveralLengths) {
  const Tensors sequences{numeric::random({2, 3}, 1, DType::f32),
                          numeric::random({4, 3}, 2, DType::f32),
                          numeric::random({1, 3}, 3, DType::f32)};
  const Tensor lengths = sequence_lengths(sequences);
  EXPECT_EQ(lengths.to_vector<int64_t>(), (std::vector<int64_t>{2, 4, 1}));
  LSTM lstm(3, 5, {.num_layers = 2, .batch_first = true, .bidirectional = true});
  const Tensor padded = pad_sequence(sequences, {.batch_first = true, .padding_value = 7});
  EXPECT_EQ(padded.shape(), (Shape{3, 4, 3}));
  EXPECT_EQ(slice(padded, 1, 3, 4).to_vector<float>()[0], 7);
  const auto [output, h_n, c_n] = lstm(padded, {.lengths = lengths});
  const Tensors parts = unpad_sequence(output, lengths, true);
  for (size_t i = 0; i < 3; ++i) {
    const auto [own, h, c] = lstm(sequences[i]);
    const auto at = static_cast<int64_t>(i);
    numeric::expect_same_bits(parts[i], own);
    numeric::expect_same_bits(select(h_n, 1, at), h);
    numeric::expect_same_bits(select(c_n, 1, at), c);
  }
  numeric::expect_same_bits(pad_sequence(sequences),
                            transpose(pad_sequence(sequences, {.batch_first = true}), 0, 1));
}

TEST(RecurrentLayers, HooksSeeAllResults) {
  LSTM lstm(3, 2);
  std::vector<Shape> seen;
  HookHandle hook =
      lstm.register_forward_hook([&](const ModuleBase&, const Tensors&, Tensors& outputs) {
        for (Tensor& y : outputs) {
          seen.push_back(y.shape());
          y = y * 2.0;
        }
      });
  const Tensor x = numeric::random({4, 2, 3}, 1, DType::f32);
  const LstmResult twice = lstm(x);
  hook.remove();
  EXPECT_EQ(seen, (std::vector<Shape>{{4, 2, 2}, {1, 2, 2}, {1, 2, 2}}));
  numeric::expect_same_bits(twice.c_n, lstm(x).c_n * 2.0);
}

TEST(RecurrentLayers, SummaryCountsThem) {
  GRU gru(3, 4, {.num_layers = 2, .bidirectional = true});
  const ModelSummary table = summary(gru, Shape{5, 2, 3});
  // Each step and direction: 12 rows of the input and of the state; above, of both directions.
  EXPECT_EQ(table.layers[0].multiply_adds, 5 * 2 * 2 * (12 * (3 + 4) + 12 * (8 + 4)));
  EXPECT_EQ(table.layers[0].outputs, (std::vector<Shape>{{5, 2, 8}, {4, 2, 4}}));
}

TEST(RecurrentLayers, Errors) {
  const auto message = [](auto f) { return numeric::message_of<Error>(f); };
  EXPECT_EQ(message([] { LSTM(3, 0); }), "LSTM: input_size 3, hidden_size 0; expected 1 or more");
  EXPECT_EQ(message([] { LSTM(3, 2, {.proj_size = 2}); }),
            "LSTM: proj_size 2 for hidden_size 2; expected less, or 0 for none");
  EXPECT_EQ(message([] { GRU(3, 2, {.dropout = 1.5}); }),
            "GRU: dropout 1.5; expected a value in [0, 1]");
  EXPECT_EQ(message([] {
              RNN(3, 2)(zeros({4, 2, 5}));
            }),
            "RNN: input of shape (4, 2, 5); expected (T, B, 3), or (T, 3) for one item "
            "(in module RNN)");
  EXPECT_EQ(message([] {
              GRU(3, 2, {.batch_first = true})(zeros({4, 6, 3}), zeros({2, 4, 2}));
            }),
            "GRU: h_0 of shape (2, 4, 2); expected (1, 4, 2) for 4 items (in module GRU)");
  EXPECT_EQ(message([] {
              LSTMCell(3, 2)(zeros({1, 2, 3}));
            }),
            "LSTMCell: input of shape (1, 2, 3); expected (B, 3) or (3,) (in module LSTMCell)");
  EXPECT_EQ(message([] {
              pad_sequence({zeros({2, 3}), zeros({1, 4})});
            }),
            "pad_sequence: sequences of shapes (2, 3) and (1, 4); expected shapes that differ in "
            "the first size only");
}

}  // namespace
}  // namespace adjoint::nn
