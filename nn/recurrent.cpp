#include <adjoint/core/dropout.h>
#include <adjoint/core/layout.h>
#include <adjoint/nn/init.h>
#include <adjoint/nn/recurrent.h>

#include <algorithm>
#include <cmath>

#include "nn/detail/describe.h"

namespace adjoint::nn {
namespace {

void check_sizes(const char* name, int64_t input_size, int64_t hidden_size) {
  check<ConfigError>(input_size >= 1 && hidden_size >= 1, name, ": input_size ", input_size,
                     ", hidden_size ", hidden_size, "; expected 1 or more");
}

RecurrentParameters drawn(int64_t gates, int64_t inputs, int64_t hidden, int64_t projected,
                          bool bias) {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  const auto draw = [bound](const Shape& shape) {
    const Tensor x = empty(shape);
    init::uniform_(x, -bound, bound);
    return Parameter(x);
  };
  const int64_t rows = gates * hidden;
  RecurrentParameters p;
  p.weight_ih = draw({rows, inputs});
  p.weight_hh = draw({rows, projected > 0 ? projected : hidden});
  if (bias) {
    p.bias_ih = draw({rows});
    p.bias_hh = draw({rows});
  }
  if (projected > 0) p.weight_hr = draw({projected, hidden});
  return p;
}

void name_all(Visitor& v, RecurrentParameters& p, const std::string& suffix) {
  v("weight_ih" + suffix, p.weight_ih);
  v("weight_hh" + suffix, p.weight_hh);
  v("bias_ih" + suffix, p.bias_ih);
  v("bias_hh" + suffix, p.bias_hh);
  v("weight_hr" + suffix, p.weight_hr);
}

// The value, an undefined tensor for none.
Tensor value_of(const Parameter& p) { return p.defined() ? Tensor(p) : Tensor(); }

// Of h_0 or c_0, for one direction of a layer.
Tensor part(const Tensor& states, int64_t i) {
  return states.defined() ? select(states, 0, i) : Tensor();
}

Tensor with_batch(const Tensor& x, int64_t dim) { return x.defined() ? unsqueeze(x, dim) : x; }

template <auto kLayer>
LstmResult without_c(const Tensor& x, const Tensor& h0, const Tensor&,
                     const RecurrentWeights& weights, const RecurrentOptions& options) {
  const auto [output, h_n] = kLayer(x, h0, weights, options);
  return {output, h_n, {}};
}

LSTMOptions common(const GRUOptions& o) {
  return {o.num_layers, o.bias, o.batch_first, o.dropout, o.bidirectional};
}
LSTMOptions common(const RNNOptions& o) {
  return {o.num_layers, o.bias, o.batch_first, o.dropout, o.bidirectional};
}

}  // namespace

RecurrentWeights RecurrentParameters::values() const {
  return {weight_ih, weight_hh, value_of(bias_ih), value_of(bias_hh), value_of(weight_hr)};
}

namespace detail {

RecurrentStack::RecurrentStack(const RecurrentArguments& a)
    : name_(a.name), input_size_(a.input_size), hidden_size_(a.hidden_size), options_(a.options) {
  check_sizes(a.name, a.input_size, a.hidden_size);
  const LSTMOptions& o = options_;
  check<ConfigError>(o.num_layers >= 1, a.name, ": num_layers ", o.num_layers,
                     "; expected 1 or more");
  check<ConfigError>(o.dropout >= 0 && o.dropout <= 1, a.name, ": dropout ", o.dropout,
                     "; expected a value in [0, 1]");
  check<ConfigError>(o.proj_size >= 0 && o.proj_size < a.hidden_size, a.name, ": proj_size ",
                     o.proj_size, " for hidden_size ", a.hidden_size,
                     "; expected less, or 0 for none");
  const int64_t both = o.bidirectional ? 2 : 1;
  for (int64_t layer = 0; layer < o.num_layers; ++layer) {
    for (int64_t direction = 0; direction < both; ++direction) {
      directions.push_back(drawn(a.gates, layer == 0 ? a.input_size : both * state_size(),
                                 a.hidden_size, o.proj_size, o.bias));
    }
  }
}

int64_t RecurrentStack::state_size() const {
  return options_.proj_size > 0 ? options_.proj_size : hidden_size_;
}

void RecurrentStack::members(Visitor& v) {
  const size_t both = options_.bidirectional ? 2 : 1;
  for (size_t i = 0; i < directions.size(); ++i) {
    name_all(v, directions[i], "_l" + std::to_string(i / both) + (i % both == 1 ? "_reverse" : ""));
  }
}

std::string RecurrentStack::describe() const {
  const LSTMOptions& o = options_;
  Description d;
  d(input_size_)(hidden_size_);
  if (o.proj_size != 0) d("proj_size", o.proj_size);
  if (o.num_layers != 1) d("num_layers", o.num_layers);
  if (!o.bias) d("bias", o.bias);
  if (o.batch_first) d("batch_first", o.batch_first);
  if (o.dropout != 0) d("dropout", o.dropout);
  if (o.bidirectional) d("bidirectional", o.bidirectional);
  return d;
}

void RecurrentStack::check_states(const Tensor& x, const Tensor& h_0, const Tensor& c_0) const {
  check<ShapeError>(x.dim() == 3 && x.size(2) == input_size_, name_, ": input of shape ", x.shape(),
                    "; expected ", options_.batch_first ? "(B, T, " : "(T, B, ", input_size_,
                    "), or (T, ", input_size_, ") for one item");
  const auto count = static_cast<int64_t>(directions.size());
  const int64_t batch = x.size(options_.batch_first ? 0 : 1);
  const auto check_state = [&](const char* what, const Tensor& state, int64_t size) {
    const Shape expected{count, batch, size};
    check<ShapeError>(!state.defined() || state.shape() == expected, name_, ": ", what,
                      " of shape ", state.defined() ? state.shape() : Shape(), "; expected ",
                      expected, " for ", batch, " items");
  };
  check_state("h_0", h_0, state_size());
  check_state("c_0", c_0, hidden_size_);
}

LstmResult RecurrentStack::forward(Run run, const Tensor& x, const Tensor& h_0, const Tensor& c_0,
                                   const RecurrentForwardOptions& options, bool training) const {
  if (x.dim() == 2) {
    const int64_t dim = options_.batch_first ? 0 : 1;
    const LstmResult y =
        forward(run, unsqueeze(x, dim), with_batch(h_0, 1), with_batch(c_0, 1), options, training);
    return {squeeze(y.output, dim), squeeze(y.h_n, 1),
            y.c_n.defined() ? squeeze(y.c_n, 1) : Tensor()};
  }
  check_states(x, h_0, c_0);
  const size_t both = options_.bidirectional ? 2 : 1;
  Tensor input = x;
  std::vector<Tensor> h, c;
  for (size_t i = 0; i < directions.size(); i += both) {
    std::vector<Tensor> outputs;
    for (size_t direction = 0; direction < both; ++direction) {
      const auto at = static_cast<int64_t>(i + direction);
      const LstmResult y =
          run(input, part(h_0, at), part(c_0, at), directions[i + direction].values(),
              {.batch_first = options_.batch_first,
               .reverse = direction == 1,
               .lengths = options.lengths});
      outputs.push_back(y.output);
      h.push_back(y.h_n);
      if (y.c_n.defined()) c.push_back(y.c_n);
    }
    input = both == 1 ? outputs[0] : cat(outputs, -1);
    const bool last = i + both == directions.size();
    if (training && !last && options_.dropout > 0) input = dropout(input, options_.dropout);
  }
  return {input, stack(h, 0), c.empty() ? Tensor() : stack(c, 0)};
}

CellParameters::CellParameters(const char* name, int64_t gates, int64_t input_size,
                               int64_t hidden_size, bool bias)
    : parameters((check_sizes(name, input_size, hidden_size),
                  drawn(gates, input_size, hidden_size, 0, bias))) {}

void CellParameters::members(Visitor& v) { name_all(v, parameters, ""); }

std::string CellParameters::describe() const {
  Description d;
  d(parameters.weight_ih.size(1))(parameters.weight_hh.size(1));
  if (!parameters.bias_ih.defined()) d("bias", false);
  return d;
}

}  // namespace detail

// --- layers ---

RNN::RNN(int64_t input_size, int64_t hidden_size, const RNNOptions& options)
    : stack_({"RNN", 1, input_size, hidden_size, common(options)}),
      nonlinearity_(options.nonlinearity) {}

RecurrentResult RNN::forward(const Tensor& x, const Tensor& h_0,
                             const RecurrentForwardOptions& options) const {
  const auto run =
      nonlinearity_ == RNNNonlinearity::tanh ? without_c<rnn_tanh> : without_c<rnn_relu>;
  const LstmResult y = stack_.forward(run, x, h_0, {}, options, is_training());
  return {y.output, y.h_n};
}

GRU::GRU(int64_t input_size, int64_t hidden_size, const GRUOptions& options)
    : stack_({"GRU", 3, input_size, hidden_size, common(options)}) {}

RecurrentResult GRU::forward(const Tensor& x, const Tensor& h_0,
                             const RecurrentForwardOptions& options) const {
  const LstmResult y = stack_.forward(without_c<gru>, x, h_0, {}, options, is_training());
  return {y.output, y.h_n};
}

LSTM::LSTM(int64_t input_size, int64_t hidden_size, const LSTMOptions& options)
    : stack_({"LSTM", 4, input_size, hidden_size, options}) {}

LstmResult LSTM::forward(const Tensor& x, const Tensor& h_0, const Tensor& c_0,
                         const RecurrentForwardOptions& options) const {
  return stack_.forward(lstm, x, h_0, c_0, options, is_training());
}

// --- cells ---

namespace {

// f(x, h, c) of a batch, for a batch or for one item.
template <class F>
LstmState step(const char* name, const RecurrentParameters& p, const Tensor& x, const Tensor& h,
               const Tensor& c, const F& f) {
  const int64_t inputs = p.weight_ih.size(1);
  check<ShapeError>(x.dim() == 1 || x.dim() == 2, name, ": input of shape ", x.shape(),
                    "; expected (B, ", inputs, ") or (", inputs, ",)");
  if (x.dim() == 2) return f(x, h, c);
  const LstmState y = f(unsqueeze(x, 0), with_batch(h, 0), with_batch(c, 0));
  return {squeeze(y.h, 0), y.c.defined() ? squeeze(y.c, 0) : Tensor()};
}

template <class F>
Tensor step_of(const char* name, const RecurrentParameters& p, const Tensor& x, const Tensor& h,
               const F& f) {
  const auto with_c = [&](const Tensor& x0, const Tensor& h0, const Tensor&) -> LstmState {
    return {f(x0, h0, p.values()), {}};
  };
  return step(name, p, x, h, {}, with_c).h;
}

}  // namespace

RNNCell::RNNCell(int64_t input_size, int64_t hidden_size, const RNNCellOptions& options)
    : cell_("RNNCell", 1, input_size, hidden_size, options.bias),
      nonlinearity_(options.nonlinearity) {}

Tensor RNNCell::forward(const Tensor& x, const Tensor& h) const {
  const auto f = nonlinearity_ == RNNNonlinearity::tanh ? rnn_tanh_cell : rnn_relu_cell;
  return step_of("RNNCell", cell_.parameters, x, h, f);
}

std::string RNNCell::describe() const {
  return cell_.describe() + (nonlinearity_ == RNNNonlinearity::relu ? ", nonlinearity=relu" : "");
}

GRUCell::GRUCell(int64_t input_size, int64_t hidden_size, const CellOptions& options)
    : cell_("GRUCell", 3, input_size, hidden_size, options.bias) {}

Tensor GRUCell::forward(const Tensor& x, const Tensor& h) const {
  return step_of("GRUCell", cell_.parameters, x, h, gru_cell);
}

LSTMCell::LSTMCell(int64_t input_size, int64_t hidden_size, const CellOptions& options)
    : cell_("LSTMCell", 4, input_size, hidden_size, options.bias) {}

LstmState LSTMCell::forward(const Tensor& x, const Tensor& h, const Tensor& c) const {
  return step("LSTMCell", cell_.parameters, x, h, c,
              [this](const Tensor& x0, const Tensor& h0, const Tensor& c0) {
                return lstm_cell(x0, h0, c0, cell_.parameters.values());
              });
}

// --- sequences of several lengths ---

Tensor sequence_lengths(const std::vector<Tensor>& sequences) {
  std::vector<int64_t> lengths;
  for (const Tensor& x : sequences) {
    check<ShapeError>(x.dim() >= 1, "sequence_lengths: a sequence of shape ", x.shape(),
                      "; expected (T, ...)");
    lengths.push_back(x.size(0));
  }
  return from_vector(lengths);
}

Tensor pad_sequence(const std::vector<Tensor>& sequences, const PadSequenceOptions& options) {
  check<ShapeError>(!sequences.empty(), "pad_sequence: no sequences; expected one or more");
  const std::vector<int64_t> lengths = sequence_lengths(sequences).to_vector<int64_t>();
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  std::vector<Tensor> filled;
  for (const Tensor& x : sequences) {
    Shape rest = x.shape(), first = sequences[0].shape();
    rest[0] = first[0] = longest - x.size(0);
    check<ShapeError>(rest == first, "pad_sequence: sequences of shapes ", sequences[0].shape(),
                      " and ", x.shape(), "; expected shapes that differ in the first size only");
    filled.push_back(rest[0] == 0 ? x : cat({x, full(rest, options.padding_value, x.dtype())}, 0));
  }
  return stack(filled, options.batch_first ? 0 : 1);
}

std::vector<Tensor> unpad_sequence(const Tensor& padded, const Tensor& lengths, bool batch_first) {
  check<ShapeError>(padded.dim() >= 2 && lengths.dim() == 1 &&
                        lengths.size(0) == padded.size(batch_first ? 0 : 1),
                    "unpad_sequence: sequences of shape ", padded.shape(), " and lengths of shape ",
                    lengths.shape(), "; expected ", batch_first ? "(B, T, ...)" : "(T, B, ...)",
                    " and (B,)");
  std::vector<Tensor> sequences;
  int64_t item = 0;
  for (const int64_t length : lengths.to_vector<int64_t>()) {
    sequences.push_back(slice(select(padded, batch_first ? 0 : 1, item++), 0, 0, length));
  }
  return sequences;
}

}  // namespace adjoint::nn
