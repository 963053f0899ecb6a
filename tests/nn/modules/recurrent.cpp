// Rows of recurrent layers and cells.
#include <adjoint/nn/recurrent.h>

#include "tests/nn/modules/table.h"

namespace adjoint::nn::table {
namespace {

// Inputs: x, h_0 and of LSTM c_0, where they are given; with `lengths` these come last.
template <class M>
Tensors call_layer(const M& m, const Tensors& x, bool lengths) {
  const RecurrentForwardOptions options{.lengths = lengths ? x.back() : Tensor()};
  if (x.size() == 1 || lengths) return tensors_of(m(x[0], options));
  if constexpr (std::is_same_v<M, LSTM>) {
    return tensors_of(m(x[0], x[1], x[2], options));
  } else {
    return tensors_of(m(x[0], x[1], options));
  }
}

template <class F>
Row layer(const std::string& torch, F make, Tensors inputs) {
  using M = std::invoke_result_t<F>;
  const std::string call = !std::is_same_v<M, LSTM> ? "m(*x)"
                           : inputs.size() > 1 ? "(lambda y, s: (y, *s))(*m(x[0], (x[1], x[2])))"
                                               : "(lambda y, s: (y, *s))(*m(x[0]))";
  return with_call<M>(row(torch, make, std::move(inputs)), call,
                      [](const M& m, const Tensors& x) { return call_layer(m, x, false); });
}

// Items of several lengths, in no order.
template <class F>
Row packed(const std::string& torch, F make, const Tensor& x, const Tensor& lengths, bool first) {
  using M = std::invoke_result_t<F>;
  const std::string order = first ? ", batch_first=True" : "";
  const std::string call =
      "(lambda y, s: (nn.utils.rnn.pad_packed_sequence(y" + order +
      ")[0], *(s if isinstance(s, tuple) else (s,))))(*m(nn.utils.rnn.pack_padded_sequence(x[0], "
      "x[1], enforce_sorted=False" +
      order + ")))";
  return with_call<M>(row(torch, make, {x, lengths}), call,
                      [](const M& m, const Tensors& in) { return call_layer(m, in, true); });
}

void add_cells(std::vector<Row>& rows) {
  const Tensor x = signs({2, 3}), h = signs({2, 2}, 2), c = signs({2, 2}, 3);
  rows.push_back(row("nn.RNNCell(3, 2)", [] { return RNNCell(3, 2); }, {x, h}));
  rows.push_back(
      row("nn.RNNCell(3, 2, bias=False, nonlinearity='relu')",
          [] { return RNNCell(3, 2, {.bias = false, .nonlinearity = RNNNonlinearity::relu}); },
          {signs({3})}));
  rows.push_back(row("nn.GRUCell(3, 2)", [] { return GRUCell(3, 2); }, {x, h}));
  rows.push_back(row("nn.GRUCell(2, 3)", [] { return GRUCell(2, 3); }, {signs({2, 2})}));
  const auto step = [](const LSTMCell& m, const Tensors& in) {
    return tensors_of(in.size() > 1 ? m(in[0], in[1], in[2]) : m(in[0]));
  };
  rows.push_back(
      with_call<LSTMCell>(row("nn.LSTMCell(3, 2)", [] { return LSTMCell(3, 2); }, {x, h, c}),
                          "m(x[0], (x[1], x[2]))", step));
  rows.push_back(
      with_call<LSTMCell>(row("nn.LSTMCell(3, 2, bias=False)",
                              [] { return LSTMCell(3, 2, {.bias = false}); }, {signs({3})}),
                          "m(x[0])", step));
}

}  // namespace

void add_recurrent(std::vector<Row>& rows) {
  const Tensor x = signs({4, 2, 3});
  rows.push_back(layer("nn.RNN(3, 2)", [] { return RNN(3, 2); }, {x}));
  rows.push_back(layer(
      "nn.RNN(3, 2, nonlinearity='relu', bias=False, batch_first=True)",
      [] {
        return RNN(3, 2,
                   {.nonlinearity = RNNNonlinearity::relu, .bias = false, .batch_first = true});
      },
      {signs({2, 3, 3}), signs({1, 2, 2}, 2)}));
  rows.push_back(packed(
      "nn.RNN(2, 3, num_layers=2)", [] { return RNN(2, 3, {.num_layers = 2}); }, signs({3, 3, 2}),
      tensor<int64_t>({2, 3, 1}), false));
  rows.push_back(layer("nn.GRU(3, 2, num_layers=2, bidirectional=True)",
                       [] { return GRU(3, 2, {.num_layers = 2, .bidirectional = true}); },
                       {x, signs({4, 2, 2}, 2)}));
  rows.push_back(layer("nn.GRU(3, 2)", [] { return GRU(3, 2); }, {signs({4, 3})}));
  rows.push_back(packed(
      "nn.GRU(2, 2, batch_first=True, bidirectional=True)",
      [] { return GRU(2, 2, {.batch_first = true, .bidirectional = true}); }, signs({3, 4, 2}),
      tensor<int64_t>({1, 4, 2}), true));
  rows.push_back(random(layer("nn.GRU(2, 3, num_layers=2, dropout=0.5)",
                              [] { return GRU(2, 3, {.num_layers = 2, .dropout = 0.5}); },
                              {signs({3, 2, 2})})));
  rows.push_back(layer("nn.LSTM(3, 2, num_layers=2, batch_first=True)",
                       [] { return LSTM(3, 2, {.num_layers = 2, .batch_first = true}); },
                       {signs({2, 4, 3})}));
  rows.push_back(
      layer("nn.LSTM(2, 3, num_layers=2, bidirectional=True, proj_size=2)",
            [] { return LSTM(2, 3, {.num_layers = 2, .bidirectional = true, .proj_size = 2}); },
            {signs({2, 2, 2}), signs({4, 2, 2}, 2), signs({4, 2, 3}, 3)}));
  rows.push_back(layer("nn.LSTM(3, 2, bias=False, batch_first=True)",
                       [] { return LSTM(3, 2, {.bias = false, .batch_first = true}); },
                       {signs({2, 3}), signs({1, 2}, 2), signs({1, 2}, 3)}));
  rows.push_back(packed(
      "nn.LSTM(2, 2, num_layers=2, bidirectional=True)",
      [] { return LSTM(2, 2, {.num_layers = 2, .bidirectional = true}); }, signs({3, 3, 2}),
      tensor<int64_t>({1, 3, 2}), false));
  add_cells(rows);
}

}  // namespace adjoint::nn::table
