// Recurrent layers: stacks over whole sequences, and cells of one step.
//
//   nn::LSTM lstm(128, 256, {.num_layers = 2, .batch_first = true});
//   const auto [output, h_n, c_n] = lstm(x);                            // x (B, T, 128)
//   const auto [rest, h, c] = lstm(more, h_n, c_n);                     // goes on from there
//   const Tensor last = lstm(padded, {.lengths = lengths}).h_n;         // items of any length
//
// Parameters have PyTorch's names, shapes and initial distribution, uniform(-b, b) with b =
// 1 / sqrt(hidden_size): weight_ih_l0 (gates hidden, inputs), weight_hh_l0, bias_ih_l0, bias_hh_l0,
// weight_hr_l0, and with _reverse the second direction's.
#pragma once

#include <adjoint/core/recurrent.h>
#include <adjoint/nn/module.h>

#include <string>
#include <vector>

namespace adjoint::nn {

enum class RNNNonlinearity : uint8_t { tanh, relu };

struct GRUOptions {
  int64_t num_layers = 1;  // each but the first takes the output of the one before
  bool bias = true;
  bool batch_first = false;    // x and output are (B, T, ...) instead of (T, B, ...)
  double dropout = 0.0;        // of each layer's output but the last's, in training
  bool bidirectional = false;  // a second direction from the last time on, its output beside
};
struct RNNOptions {
  int64_t num_layers = 1;
  RNNNonlinearity nonlinearity = RNNNonlinearity::tanh;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0.0;
  bool bidirectional = false;
};
struct LSTMOptions {
  int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0.0;
  bool bidirectional = false;
  int64_t proj_size = 0;  // h is projected to so many elements; 0: not
};

struct RecurrentForwardOptions {
  // i64 (B), each in [1, T], in any order: where items end. What lies beyond is not read and has an
  // output of 0; h_n and c_n are those of an item's own last step, and the second direction begins
  // there. What PyTorch computes of a packed sequence, without packing.
  Tensor lengths = {};
};

// One direction of one layer.
struct RecurrentParameters {
  Parameter weight_ih, weight_hh, bias_ih, bias_hh, weight_hr;  // the last three may be undefined

  RecurrentWeights values() const;
};

namespace detail {

// What the three layers are made of.
struct RecurrentArguments {
  const char* name;
  int64_t gates, input_size, hidden_size;
  LSTMOptions options;
};

class RecurrentStack {
 public:
  explicit RecurrentStack(const RecurrentArguments& arguments);

  void members(Visitor& v);
  std::string describe() const;

  // run(layer's input, h0, c0, weights, options) for all directions and layers. h_0 and c_0 are
  // (layers directions, B, ...), or undefined.
  using Run = LstmResult (*)(const Tensor& x, const Tensor& h0, const Tensor& c0,
                             const RecurrentWeights& weights, const RecurrentOptions& options);
  LstmResult forward(Run run, const Tensor& x, const Tensor& h_0, const Tensor& c_0,
                     const RecurrentForwardOptions& options, bool training) const;

  std::vector<RecurrentParameters> directions;  // layer by layer

 private:
  int64_t state_size() const;  // of h
  void check_states(const Tensor& x, const Tensor& h_0, const Tensor& c_0) const;

  const char* name_;
  int64_t input_size_, hidden_size_;
  LSTMOptions options_;
};

}  // namespace detail

// x (T, B, input_size), (B, T, input_size) with batch_first, or (T, input_size) for one item ->
// output (T, B, directions hidden_size) or alike, and h_n (num_layers directions, B, hidden_size).
// h_0, of h_n's shape, is zeros unless given. The operators lstm, gru and rnn_tanh of
// <adjoint/core/recurrent.h>. ConfigError for sizes that are not positive and a dropout outside of
// [0, 1]; ShapeError for tensors that do not fit.
class RNN : public Module<RNN> {
 public:
  using ForwardOptions = RecurrentForwardOptions;

  RNN(int64_t input_size, int64_t hidden_size, const RNNOptions& options = {});
  RecurrentResult forward(const Tensor& x, const RecurrentForwardOptions& options = {}) const {
    return forward(x, Tensor(), options);
  }
  RecurrentResult forward(const Tensor& x, const Tensor& h_0,
                          const RecurrentForwardOptions& options = {}) const;
  void members(Visitor& v) override { stack_.members(v); }
  std::string describe() const override { return stack_.describe(); }

  // Layer by layer, in it the directions.
  const std::vector<RecurrentParameters>& directions() const { return stack_.directions; }

 private:
  detail::RecurrentStack stack_;
  RNNNonlinearity nonlinearity_;
};

class GRU : public Module<GRU> {
 public:
  using ForwardOptions = RecurrentForwardOptions;

  GRU(int64_t input_size, int64_t hidden_size, const GRUOptions& options = {});
  RecurrentResult forward(const Tensor& x, const RecurrentForwardOptions& options = {}) const {
    return forward(x, Tensor(), options);
  }
  RecurrentResult forward(const Tensor& x, const Tensor& h_0,
                          const RecurrentForwardOptions& options = {}) const;
  void members(Visitor& v) override { stack_.members(v); }
  std::string describe() const override { return stack_.describe(); }

  const std::vector<RecurrentParameters>& directions() const { return stack_.directions; }

 private:
  detail::RecurrentStack stack_;
};

// c_n is (num_layers directions, B, hidden_size); with a projection h_n and the output have
// proj_size elements instead of hidden_size.
class LSTM : public Module<LSTM> {
 public:
  using ForwardOptions = RecurrentForwardOptions;

  LSTM(int64_t input_size, int64_t hidden_size, const LSTMOptions& options = {});
  LstmResult forward(const Tensor& x, const RecurrentForwardOptions& options = {}) const {
    return forward(x, Tensor(), Tensor(), options);
  }
  LstmResult forward(const Tensor& x, const Tensor& h_0, const Tensor& c_0,
                     const RecurrentForwardOptions& options = {}) const;
  void members(Visitor& v) override { stack_.members(v); }
  std::string describe() const override { return stack_.describe(); }

  const std::vector<RecurrentParameters>& directions() const { return stack_.directions; }

 private:
  detail::RecurrentStack stack_;
};

// --- one step ---

struct RNNCellOptions {
  bool bias = true;
  RNNNonlinearity nonlinearity = RNNNonlinearity::tanh;
};
struct CellOptions {
  bool bias = true;
};

namespace detail {

// The parameters of a cell under PyTorch's names, weight_ih to bias_hh.
class CellParameters {
 public:
  CellParameters(const char* name, int64_t gates, int64_t input_size, int64_t hidden_size,
                 bool bias);
  void members(Visitor& v);
  std::string describe() const;

  RecurrentParameters parameters;
};

}  // namespace detail

// x (B, input_size) or (input_size), h (B, hidden_size) or (hidden_size), zeros unless given -> the
// next h. Starts as the layers. ConfigError, ShapeError likewise.
class RNNCell : public Module<RNNCell> {
 public:
  RNNCell(int64_t input_size, int64_t hidden_size, const RNNCellOptions& options = {});
  Tensor forward(const Tensor& x, const Tensor& h = {}) const;
  void members(Visitor& v) override { cell_.members(v); }
  std::string describe() const override;

 private:
  detail::CellParameters cell_;
  RNNNonlinearity nonlinearity_;
};

class GRUCell : public Module<GRUCell> {
 public:
  GRUCell(int64_t input_size, int64_t hidden_size, const CellOptions& options = {});
  Tensor forward(const Tensor& x, const Tensor& h = {}) const;
  void members(Visitor& v) override { cell_.members(v); }
  std::string describe() const override { return cell_.describe(); }

 private:
  detail::CellParameters cell_;
};

class LSTMCell : public Module<LSTMCell> {
 public:
  LSTMCell(int64_t input_size, int64_t hidden_size, const CellOptions& options = {});
  LstmState forward(const Tensor& x, const Tensor& h = {}, const Tensor& c = {}) const;
  void members(Visitor& v) override { cell_.members(v); }
  std::string describe() const override { return cell_.describe(); }

 private:
  detail::CellParameters cell_;
};

// --- sequences of several lengths ---

struct PadSequenceOptions {
  bool batch_first = false;
  double padding_value = 0.0;
};
// Sequences (T_i, ...) of equal shapes but for their lengths, side by side: (longest, B, ...), or
// (B, longest, ...), filled up at their ends. ShapeError for none, or shapes that differ.
Tensor pad_sequence(const std::vector<Tensor>& sequences, const PadSequenceOptions& options = {});
// The sequences again, views, of these lengths (B).
std::vector<Tensor> unpad_sequence(const Tensor& padded, const Tensor& lengths,
                                   bool batch_first = false);
// How long each is: i64 (B), what the layers take as `lengths`.
Tensor sequence_lengths(const std::vector<Tensor>& sequences);

}  // namespace adjoint::nn
