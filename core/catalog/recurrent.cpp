// Rows of recurrent layers and cells.
#include <adjoint/core/recurrent.h>

#include <cmath>
#include <optional>

#include "core/catalog/builders.h"
#include "core/ops/recurrent.h"

namespace adjoint::catalog {
namespace {

using kernels::Cell;

// What a sample has, beside weight_ih and weight_hh.
struct Call {
  Shape x;
  int64_t hidden;
  bool states = true, biases = true;
  int64_t projected = 0;
  bool batch_first = false, reverse = false;
  std::vector<int64_t> lengths = {};
  bool strides = false;
  double scale = 1;  // of all inputs
};

struct Kind {
  Cell cell;
  std::string name;
  bool single;  // one step

  int64_t gates() const { return gate_count(cell); }
  bool has_c() const { return cell == Cell::lstm; }
};

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.1, 0.9, seed); }

RecurrentOptions options_of(const Call& call) {
  RecurrentOptions o{.batch_first = call.batch_first, .reverse = call.reverse};
  if (!call.lengths.empty()) o.lengths = from_vector(call.lengths);
  return o;
}

// Which inputs there are, in order.
std::vector<int> inputs_of(const Kind& kind, const Call& call) {
  std::vector<int> which{kX};
  if (call.states) which.push_back(kH0);
  if (call.states && kind.has_c()) which.push_back(kC0);
  which.push_back(kWeightIh);
  which.push_back(kWeightHh);
  if (call.biases) which.insert(which.end(), {kBiasIh, kBiasHh});
  if (call.projected > 0) which.push_back(kWeightHr);
  return which;
}

Tensors all_inputs(const Kind& kind, const Call& call, const Tensors& given) {
  Tensors all(kRecurrentInputs);
  const std::vector<int> which = inputs_of(kind, call);
  for (size_t i = 0; i < which.size(); ++i) all[static_cast<size_t>(which[i])] = given[i];
  return all;
}

Tensors call_operator(const Kind& kind, const Call& call, const Tensors& in) {
  const RecurrentWeights w{in[kWeightIh], in[kWeightHh], in[kBiasIh], in[kBiasHh], in[kWeightHr]};
  const RecurrentOptions o = options_of(call);
  if (kind.single && kind.has_c()) {
    const auto [h, c] = lstm_cell(in[kX], in[kH0], in[kC0], w);
    return {h, c};
  }
  if (kind.single) {
    const auto f = kind.cell == Cell::gru        ? gru_cell
                   : kind.cell == Cell::rnn_tanh ? rnn_tanh_cell
                                                 : rnn_relu_cell;
    return {f(in[kX], in[kH0], w)};
  }
  if (kind.has_c()) {
    const auto [y, h, c] = lstm(in[kX], in[kH0], in[kC0], w, o);
    return {y, h, c};
  }
  const auto f = kind.cell == Cell::gru ? gru : kind.cell == Cell::rnn_tanh ? rnn_tanh : rnn_relu;
  const auto [y, h] = f(in[kX], in[kH0], w, o);
  return {y, h};
}

Tensors call_definition(const Kind& kind, const Call& call, const Tensors& in) {
  Tensors outputs = composed::recurrent(kind.cell, in, options_of(call));
  if (kind.single) outputs.erase(outputs.begin());
  if (!kind.has_c()) outputs.pop_back();
  return outputs;
}

// --- by numbers ---

using Numbers = std::vector<double>;

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// weight x + bias
Numbers affine(const Array& weight, const Numbers& x, const std::optional<Array>& bias) {
  Numbers y(static_cast<size_t>(weight.shape[0]));
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] = bias ? bias->data[i] : 0;
    for (size_t k = 0; k < x.size(); ++k) y[i] += weight.data[i * x.size() + k] * x[k];
  }
  return y;
}

struct Item {
  Numbers h, c;
};

struct Parameters {
  Array ih, hh;
  std::optional<Array> bias_ih, bias_hh, hr;
};

void step(const Kind& kind, const Parameters& p, const Numbers& x, Item& item) {
  const Numbers a = affine(p.ih, x, p.bias_ih), b = affine(p.hh, item.h, p.bias_hh);
  const size_t n = a.size() / static_cast<size_t>(kind.gates());
  Numbers h(n);
  for (size_t j = 0; j < n; ++j) {
    const auto sum = [&](size_t gate) { return a[gate * n + j] + b[gate * n + j]; };
    switch (kind.cell) {
      case Cell::rnn_tanh:
        h[j] = std::tanh(sum(0));
        break;
      case Cell::rnn_relu:
        h[j] = std::max(0.0, sum(0));
        break;
      case Cell::gru: {
        const double r = logistic(sum(0)), z = logistic(sum(1));
        h[j] = (1 - z) * std::tanh(a[2 * n + j] + r * b[2 * n + j]) + z * item.h[j];
        break;
      }
      case Cell::lstm:
        item.c[j] = logistic(sum(1)) * item.c[j] + logistic(sum(0)) * std::tanh(sum(2));
        h[j] = logistic(sum(3)) * std::tanh(item.c[j]);
    }
  }
  item.h = p.hr ? affine(*p.hr, h, std::nullopt) : h;
}

Tensors reference(const Kind& kind, const Call& call, const Tensors& in) {
  const auto array = [&](int i) {
    const Tensor& x = in[static_cast<size_t>(i)];
    return x.defined() ? std::optional<Array>(Array(x)) : std::nullopt;
  };
  const Parameters p{*array(kWeightIh), *array(kWeightHh), array(kBiasIh), array(kBiasHh),
                     array(kWeightHr)};
  const Array x = *array(kX);
  const bool items_first = kind.single || call.batch_first;
  const int64_t batch = x.shape[items_first ? 0 : 1];
  const int64_t steps = kind.single ? 1 : x.shape[items_first ? 1 : 0];
  const int64_t out = p.hh.shape[1], hidden = p.ih.shape[0] / kind.gates();
  Array y(items_first ? Shape{batch, steps, out} : Shape{steps, batch, out});
  Array h_n(Shape{batch, out}), c_n(Shape{batch, hidden});
  if (call.states) h_n = *array(kH0);
  if (call.states && kind.has_c()) c_n = *array(kC0);
  for (int64_t b = 0; b < batch; ++b) {
    Item item{Numbers(static_cast<size_t>(out)), Numbers(static_cast<size_t>(hidden))};
    for (int64_t j = 0; j < out; ++j) item.h[static_cast<size_t>(j)] = h_n.at({b, j});
    for (int64_t j = 0; j < hidden; ++j) item.c[static_cast<size_t>(j)] = c_n.at({b, j});
    const int64_t length = call.lengths.empty() ? steps : call.lengths[static_cast<size_t>(b)];
    for (int64_t i = 0; i < length; ++i) {
      const int64_t t = call.reverse ? length - 1 - i : i;
      Numbers row;
      for (int64_t k = 0; k < x.shape.back(); ++k) {
        row.push_back(x.at(kind.single   ? Shape{b, k}
                           : items_first ? Shape{b, t, k}
                                         : Shape{t, b, k}));
      }
      step(kind, p, row, item);
      for (int64_t j = 0; j < out; ++j) {
        y.at(items_first ? Shape{b, t, j} : Shape{t, b, j}) = item.h[static_cast<size_t>(j)];
      }
    }
    for (int64_t j = 0; j < out; ++j) h_n.at({b, j}) = item.h[static_cast<size_t>(j)];
    for (int64_t j = 0; j < hidden; ++j) c_n.at({b, j}) = item.c[static_cast<size_t>(j)];
  }
  Tensors results;
  if (!kind.single) results.push_back(y.tensor());
  results.push_back(h_n.tensor());
  if (kind.has_c()) results.push_back(c_n.tensor());
  return results;
}

// --- PyTorch's call ---

// A list of the inputs from number `first` on, as Python.
std::string list_from(const std::vector<int>& which, int first) {
  std::string list;
  for (size_t i = 0; i < which.size(); ++i) {
    if (which[i] >= first) list += "x[" + std::to_string(i) + "], ";
  }
  return list;
}

std::string python(const std::vector<int64_t>& numbers) {
  std::string list;
  for (const int64_t n : numbers) list += std::to_string(n) + ", ";
  return "[" + list + "]";
}

// The backward direction is the second of two: both get the same weights, and only its results are
// looked at. Packed sequences are sorted, and so are the states with them.
std::string torch_call(const Kind& kind, const Call& call, int64_t batch) {
  const std::vector<int> which = inputs_of(kind, call);
  const std::string weights = list_from(which, kWeightIh), two = call.reverse ? "2" : "1";
  if (kind.single) {
    const std::string h = kind.has_c() ? "(x[1], x[2])" : "x[1]";
    return "torch." + kind.name + "(x[0], " + h + ", " + weights + ")";
  }
  const std::string sorted = call.lengths.empty() ? "" : "[p.sorted_indices]";
  const auto state = [&](int at, int64_t width) {
    const std::string s = call.states ? "x[" + std::to_string(at) + "]"
                                      : "torch.zeros(" + std::to_string(batch) + ", " +
                                            std::to_string(width) + ", dtype=x[0].dtype)";
    return s + sorted + "[None].repeat(" + two + ", 1, 1)";
  };
  const int64_t out = call.projected > 0 ? call.projected : call.hidden;
  const std::string hx =
      kind.has_c() ? "(" + state(1, out) + ", " + state(2, call.hidden) + ")" : state(1, out);
  const std::string rest = hx + ", [" + weights + "] * " + two + ", " +
                           (call.biases ? "True" : "False") + ", 1, 0.0, False, " +
                           (call.reverse ? "True" : "False");
  const std::string first = call.batch_first ? "True" : "False";
  const std::string last = "[..., -" + std::to_string(out) + ":]";
  if (call.lengths.empty()) {
    return "(lambda y, *s: (y" + last + ", *[i[-1] for i in s]))(*torch." + kind.name + "(x[0], " +
           rest + ", " + first + "))";
  }
  return "(lambda p: (lambda y, *s: (torch.nn.utils.rnn.pad_packed_sequence("
         "torch.nn.utils.rnn.PackedSequence(y" +
         last + ", p.batch_sizes, p.sorted_indices, p.unsorted_indices), " + first +
         ", total_length=" + std::to_string(call.x[call.batch_first ? 1 : 0]) +
         ")[0], *[i[-1][p.unsorted_indices] for i in s]))(*torch." + kind.name +
         "(p.data, p.batch_sizes, " + rest +
         ")))(torch.nn.utils.rnn.pack_padded_sequence(x[0], torch.tensor(" + python(call.lengths) +
         "), " + first + ", enforce_sorted=False))";
}

// --- rows ---

Sample sample_of(const Kind& kind, const std::string& name, const Call& call) {
  const bool items_first = kind.single || call.batch_first;
  const int64_t batch = call.x[items_first ? 0 : 1], inputs = call.x.back();
  const int64_t out = call.projected > 0 ? call.projected : call.hidden;
  const int64_t gates = kind.gates() * call.hidden;
  const Shape shapes[kRecurrentInputs] = {call.x,          {batch, out},      {batch, call.hidden},
                                          {gates, inputs}, {gates, out},      {gates},
                                          {gates},         {out, call.hidden}};
  Tensors given;
  for (const int i : inputs_of(kind, call)) {
    const Tensor x = input(shapes[i], static_cast<uint64_t>(i) + 1) * call.scale;
    given.push_back(call.strides ? strided(x) : x);
  }
  const auto with = [=](auto f) {
    return [=](const Tensors& in) { return f(kind, call, all_inputs(kind, call, in)); };
  };
  Sample sample{name, given, with(call_operator), with(reference), with(call_definition)};
  if (batch > 0) sample.torch = torch_call(kind, call, batch);
  return sample;
}

void set_tolerances(Row& row) {
  row.ulps = 16;
  row.scale = 1;
  row.gradient_ulps = 256;
}

Row layer_row(Cell cell, const std::string& name) {
  const Kind kind{cell, name, false};
  Row row{
      name,
      {sample_of(kind, "(3, 2, 3), 2", {{3, 2, 3}, 2}),
       sample_of(kind, "(2, 3, 2), 3, batch first, reverse",
                 {.x = {2, 3, 2}, .hidden = 3, .batch_first = true, .reverse = true}),
       sample_of(kind, "(3, 2, 2) strided, 2, no states and biases",
                 {.x = {3, 2, 2}, .hidden = 2, .states = false, .biases = false, .strides = true}),
       sample_of(kind, "(4, 3, 2), 2, lengths 2, 4, 1",
                 {.x = {4, 3, 2}, .hidden = 2, .lengths = {2, 4, 1}}),
       sample_of(kind, "(3, 4, 2), 2, batch first, lengths 3, 1, 2, reverse",
                 {.x = {3, 4, 2},
                  .hidden = 2,
                  .batch_first = true,
                  .reverse = true,
                  .lengths = {3, 1, 2}}),
       sample_of(kind, "(1, 2, 3), 2", {{1, 2, 3}, 2}),
       sample_of(kind, "(2, 0, 3), 2", {{2, 0, 3}, 2})}};
  if (cell == Cell::lstm) {
    row.samples.push_back(
        sample_of(kind, "(3, 2, 2), 3 to 2", {.x = {3, 2, 2}, .hidden = 3, .projected = 2}));
    row.samples.push_back(
        sample_of(kind, "(2, 3, 2), 2 to 3, batch first, lengths 1, 3, reverse, no biases",
                  {.x = {2, 3, 2},
                   .hidden = 2,
                   .biases = false,
                   .projected = 3,
                   .batch_first = true,
                   .reverse = true,
                   .lengths = {1, 3}}));
  }
  // Of numbers so small that a step does not make the one before's rounding larger.
  row.large = [=] {
    return sample_of(kind, "(4, 37, 65), 130", {.x = {4, 37, 65}, .hidden = 130, .scale = 0.2});
  };
  const auto call = [=](const Shape& x, const Tensor& h0, const Tensor& lengths) {
    const int64_t gates = kind.gates() * 2;
    Tensors in(kRecurrentInputs);
    in[kX] = ones(x);
    in[kH0] = h0;
    in[kWeightIh] = ones({gates, 3});
    in[kWeightHh] = ones({gates, 2});
    Call of{x, 2};
    if (lengths.defined()) of.lengths = lengths.to_vector<int64_t>();
    return call_operator(kind, of, in)[0];
  };
  row.errors = {error("rows of another length",
                      [=] {
                        return call({2, 2, 4}, {}, {});
                      },
                      {name + ": ", "(2, 2, 4)", "weight_ih", "3"}),
                error("no steps",
                      [=] {
                        return call({0, 2, 3}, {}, {});
                      },
                      {name + ": ", "(0, 2, 3)", "one step"}),
                error("a matrix",
                      [=] {
                        return call({2, 3}, {}, {});
                      },
                      {name + ": ", "(2, 3)", "(T, B, inputs)"}),
                error("a state of another shape",
                      [=] {
                        return call({2, 2, 3}, ones({2, 3}), {});
                      },
                      {name + ": ", "h0", "(2, 3)", "(2, 2)"}),
                error("a length of none",
                      [=] {
                        return call({2, 2, 3}, {}, tensor<int64_t>({2, 0}));
                      },
                      {name + ": ", "lengths has 0", "[1, 2]"}),
                error("too many lengths",
                      [=] {
                        return call({2, 2, 3}, {}, tensor<int64_t>({2, 1, 1}));
                      },
                      {name + ": ", "lengths", "(3,)", "(2,)"}),
                wrong_gradient(name, row.samples.front())};
  set_tolerances(row);
  return row;
}

Row cell_row(Cell cell, const std::string& name) {
  const Kind kind{cell, name, true};
  Row row{name,
          {sample_of(kind, "(2, 3), 2", {{2, 3}, 2}),
           sample_of(kind, "(3, 2) strided, 3, no biases",
                     {.x = {3, 2}, .hidden = 3, .biases = false, .strides = true}),
           sample_of(kind, "(0, 3), 2", {{0, 3}, 2})}};
  row.large = [=] {
    return sample_of(kind, "(67, 65), 130", {.x = {67, 65}, .hidden = 130, .scale = 0.2});
  };
  const auto call = [=](const Shape& x, const Shape& h, int64_t rows) {
    Tensors in(kRecurrentInputs);
    in[kX] = ones(x);
    in[kH0] = ones(h);
    in[kWeightIh] = ones({kind.gates() * rows, 3});
    in[kWeightHh] = ones({kind.gates() * 2, 2});
    return call_operator(kind, {x, 2}, in)[0];
  };
  row.errors = {error("a sequence",
                      [=] {
                        return call({2, 2, 3}, {2, 2}, 2);
                      },
                      {name + ": ", "(2, 2, 3)", "(B, inputs)"}),
                error("a state of another batch",
                      [=] {
                        return call({2, 3}, {3, 2}, 2);
                      },
                      {name + ": ", "h0", "(3, 2)", "(2, 2)"}),
                error("weights of different sizes",
                      [=] {
                        return call({2, 3}, {2, 2}, 3);
                      },
                      {name + ": ", "weight_hh", "(" + std::to_string(kind.gates() * 2) + ", 2)"}),
                wrong_gradient(name, row.samples.front())};
  set_tolerances(row);
  return row;
}

}  // namespace

void add_recurrent(std::vector<Row>& rows) {
  rows.push_back(layer_row(Cell::lstm, "lstm"));
  rows.push_back(layer_row(Cell::gru, "gru"));
  rows.push_back(layer_row(Cell::rnn_tanh, "rnn_tanh"));
  rows.push_back(layer_row(Cell::rnn_relu, "rnn_relu"));
  rows.push_back(cell_row(Cell::lstm, "lstm_cell"));
  rows.push_back(cell_row(Cell::gru, "gru_cell"));
  rows.push_back(cell_row(Cell::rnn_tanh, "rnn_tanh_cell"));
  rows.push_back(cell_row(Cell::rnn_relu, "rnn_relu_cell"));
}

}  // namespace adjoint::catalog
