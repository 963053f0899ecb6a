// What recurrent layers compute, in tensors.
#include <adjoint/core/activations.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>

#include <algorithm>

#include "core/ops/recurrent.h"

namespace adjoint {
namespace {

using kernels::Cell;

struct State {
  Tensor h, c;
};

// One step, from what the input contributes to the gates.
State step(Cell cell, const Tensor& from_input, const State& s, const std::vector<Tensor>& in) {
  const Tensor from_state = linear(s.h, in[kWeightHh], in[kBiasHh]);
  const int64_t hidden = from_state.size(-1) / gate_count(cell);
  const auto part = [hidden](const Tensor& x, int64_t gate) {
    return slice(x, -1, gate * hidden, (gate + 1) * hidden);
  };
  if (cell == Cell::gru) {
    const Tensor both = from_input + from_state;
    const Tensor r = sigmoid(part(both, 0)), z = sigmoid(part(both, 1));
    const Tensor n = tanh(part(from_input, 2) + r * part(from_state, 2));
    return {(1.0 - z) * n + z * s.h, {}};
  }
  const Tensor sum = from_input + from_state;
  if (cell != Cell::lstm) return {cell == Cell::rnn_tanh ? tanh(sum) : relu(sum), {}};
  const Tensor i = sigmoid(part(sum, 0)), f = sigmoid(part(sum, 1));
  const Tensor g = tanh(part(sum, 2)), o = sigmoid(part(sum, 3));
  const Tensor c = f * s.c + i * g, h = o * tanh(c);
  return {in[kWeightHr].defined() ? linear(h, in[kWeightHr]) : h, c};
}

// x (T, B, ...) or (B, T, ...), zeros where an item has ended: there it may be anything.
Tensor within_lengths(const Tensor& x, const Tensor& lengths, bool batch_first) {
  const Tensor times = arange(x.size(batch_first ? 1 : 0));
  const Tensor there = batch_first ? unsqueeze(lengths, 1) > times : lengths > unsqueeze(times, 1);
  return where(unsqueeze(there, 2), x, 0.0);
}

}  // namespace

std::vector<Tensor> composed::recurrent(Cell cell, const std::vector<Tensor>& in,
                                        const RecurrentOptions& options) {
  const Tensor x = options.lengths.defined()
                       ? within_lengths(in[kX], options.lengths, options.batch_first)
                       : in[kX];
  const bool single = x.dim() == 2;
  const int time_dim = options.batch_first ? 1 : 0;
  const int64_t batch = x.size(single || options.batch_first ? 0 : 1);
  const int64_t hidden = in[kWeightIh].size(0) / gate_count(cell);
  State s{in[kH0], in[kC0]};
  if (!s.h.defined()) s.h = zeros({batch, in[kWeightHh].size(1)}, x.dtype());
  if (!s.c.defined() && cell == Cell::lstm) s.c = zeros({batch, hidden}, x.dtype());
  const Tensor from_input = linear(x, in[kWeightIh], in[kBiasIh]);
  if (single) {
    s = step(cell, from_input, s, in);
    return {{}, s.h, s.c};
  }
  const int64_t steps = x.size(time_dim);
  std::vector<Tensor> outputs;
  for (int64_t i = 0; i < steps; ++i) {
    const int64_t time = options.reverse ? steps - 1 - i : i;
    State next = step(cell, select(from_input, time_dim, time), s, in);
    Tensor y = next.h;
    if (options.lengths.defined()) {
      const Tensor there = unsqueeze(options.lengths > time, 1);
      y = where(there, y, 0.0);
      next.h = where(there, next.h, s.h);
      if (next.c.defined()) next.c = where(there, next.c, s.c);
    }
    s = next;
    outputs.push_back(y);
  }
  if (options.reverse) std::reverse(outputs.begin(), outputs.end());
  return {stack(outputs, time_dim), s.h, s.c};
}

}  // namespace adjoint
