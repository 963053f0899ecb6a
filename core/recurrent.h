// Recurrent layers: one layer in one direction, over a whole sequence or for one step.
#pragma once

#include <adjoint/core/tensor.h>

#include <tuple>

namespace adjoint {

// Gates lie one after the other in rows, G of them: 4 of lstm (i f g o), 3 of gru (r z n), 1 of the
// others.
struct RecurrentWeights {
  Tensor weight_ih;       // (G hidden, inputs)
  Tensor weight_hh;       // (G hidden, hidden), or (G hidden, projected)
  Tensor bias_ih = {};    // (G hidden); or undefined
  Tensor bias_hh = {};    // likewise
  Tensor weight_hr = {};  // (projected, hidden), of lstm only; or undefined
};

struct RecurrentOptions {
  bool batch_first = false;  // x and output are (B, T, ...) instead of (T, B, ...)
  bool reverse = false;      // from the last time to the first
  // i64 (B), each in [1, T]: what lies beyond an item's length is not read, has an output of 0 and
  // passes its state on, so h_n is that of its last own step. PyTorch's packed sequences, in any
  // order of lengths. Undefined: all are T.
  Tensor lengths = {};
};

// x (T, B, inputs); h0 (B, hidden or projected), c0 (B, hidden), undefined for zeros -> output
// (T, B, hidden or projected), and the state after the last step, of the shapes of h0 and c0.
// weight_ih x + bias_ih of all times is one product; then each step is a product with weight_hh.
// Of f32 and f64; 16 bits are computed in f32 and rounded at the end. ShapeError, DTypeError.
struct RecurrentResult {
  Tensor output, h_n;
  auto tensors() { return std::tie(output, h_n); }
};
struct LstmResult {
  Tensor output, h_n, c_n;
  auto tensors() { return std::tie(output, h_n, c_n); }
};
// Hochreiter, Schmidhuber 1997, with the forget gate of Gers and others 2000; projected as in Sak
// and others 2014, arXiv 1402.1128: i, f, o = sigmoid(...), g = tanh(...), c = f c + i g,
// h = o tanh(c).
LstmResult lstm(const Tensor& x, const Tensor& h0, const Tensor& c0,
                const RecurrentWeights& weights, const RecurrentOptions& options = {});
// Cho and others 2014, arXiv 1406.1078, with the reset gate behind the product, as PyTorch's:
// n = tanh(weight_ih x + bias_ih + r (weight_hh h + bias_hh)), h = (1 - z) n + z h.
RecurrentResult gru(const Tensor& x, const Tensor& h0, const RecurrentWeights& weights,
                    const RecurrentOptions& options = {});
// Elman 1990: h = tanh(weight_ih x + bias_ih + weight_hh h + bias_hh), or relu.
RecurrentResult rnn_tanh(const Tensor& x, const Tensor& h0, const RecurrentWeights& weights,
                         const RecurrentOptions& options = {});
RecurrentResult rnn_relu(const Tensor& x, const Tensor& h0, const RecurrentWeights& weights,
                         const RecurrentOptions& options = {});

// One step: x (B, inputs), h (B, hidden), c likewise -> the next state. The same bits as a step of
// the whole.
struct LstmState {
  Tensor h, c;
  auto tensors() { return std::tie(h, c); }
};
LstmState lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c,
                    const RecurrentWeights& weights);
Tensor gru_cell(const Tensor& x, const Tensor& h, const RecurrentWeights& weights);
Tensor rnn_tanh_cell(const Tensor& x, const Tensor& h, const RecurrentWeights& weights);
Tensor rnn_relu_cell(const Tensor& x, const Tensor& h, const RecurrentWeights& weights);

}  // namespace adjoint
