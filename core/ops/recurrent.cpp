// Recurrent layers: see Note [Recurrent layers] in core/kernels/recurrent.h.
#include "core/ops/recurrent.h"

#include <adjoint/core/autograd.h>
#include <adjoint/core/factories.h>
#include <adjoint/core/functional.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/precision.h>

#include <array>
#include <memory>
#include <string>

#include "core/autograd/op.h"
#include "core/ops/contract.h"
#include "core/ops/norm.h"

namespace adjoint {
namespace {

using kernels::Cell;
using Tensors = std::vector<Tensor>;

constexpr std::array<const char*, kRecurrentInputs> kInputNames{
    "input", "h0", "c0", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"};

// Sizes of a call, and where its rows lie.
struct Sizes {
  Cell cell = Cell::lstm;
  int64_t steps = 1, batch = 0, inputs = 0, hidden = 0, out = 0;
  bool single = false, batch_first = false, reverse = false;
  bool items_outside = false;                           // rows are (b, t) instead of (t, b)
  std::shared_ptr<const std::vector<int64_t>> lengths;  // or nullptr

  int64_t gates() const { return gate_count(cell) * hidden; }
  int64_t rows() const { return steps * batch; }
  int64_t t_rows() const { return items_outside ? 1 : batch; }
  int64_t b_rows() const { return items_outside ? steps : 1; }
  // Of the rows that are kept, and of their gradients: gru has what its candidate's sum was.
  int64_t kept_width() const { return cell == Cell::gru ? 4 * hidden : gates(); }
  // How far apart rows of so many elements are kept: those of a whole fraction of a page would
  // drive each other out of the caches in products that go along the columns.
  static int64_t row_for(int64_t width, DType dtype) {
    const auto size = static_cast<int64_t>(element_size(dtype));
    return width * size % 1024 == 0 ? width + 64 / size : width;
  }
  Shape output_shape() const {
    return batch_first ? Shape{batch, steps, out} : Shape{steps, batch, out};
  }
};

void check_shape(const Op& op, int input, const Shape& expected) {
  const Tensor& x = op.input(input);
  op.check(!x.defined() || x.shape() == expected, kInputNames[static_cast<size_t>(input)],
           " of shape ", x.defined() ? x.shape() : Shape(), "; expected ", expected);
}

std::shared_ptr<const std::vector<int64_t>> checked_lengths(const Op& op, const Tensor& lengths,
                                                            int64_t batch, int64_t steps) {
  if (!lengths.defined()) return nullptr;
  op.check<DTypeError>(is_integer(lengths.dtype()), "lengths of dtype ", lengths.dtype(),
                       "; expected i64");
  op.check(lengths.shape() == Shape{batch}, "lengths of shape ", lengths.shape(), "; expected (",
           batch, ",)");
  auto numbers = packed(rounded(lengths, DType::i64)).to_vector<int64_t>();
  for (const int64_t length : numbers) {
    op.check(length >= 1 && length <= steps, "lengths has ", length, "; expected a value in [1, ",
             steps, "]");
  }
  return std::make_shared<const std::vector<int64_t>>(std::move(numbers));
}

Sizes sizes_of(const Op& op, Cell cell, bool single, const RecurrentOptions& options) {
  const Tensor &x = op.input(kX), &w = op.input(kWeightIh), &u = op.input(kWeightHh);
  const int64_t gates = gate_count(cell);
  op.check(x.dim() == (single ? 2 : 3), "input of shape ", x.shape(), "; expected ",
           single                ? "(B, inputs)"
           : options.batch_first ? "(B, T, inputs)"
                                 : "(T, B, inputs)");
  op.check(w.dim() == 2 && w.size(0) > 0 && w.size(0) % gates == 0, "weight_ih of shape ",
           w.shape(), "; expected (", gates, " hidden, inputs)");
  op.check(x.size(-1) == w.size(1), "input of shape ", x.shape(), " for weight_ih of shape ",
           w.shape(), "; expected ", w.size(1), " elements in a row");
  Sizes s;
  s.cell = cell;
  s.single = single;
  s.batch_first = options.batch_first;
  s.reverse = options.reverse;
  s.batch = x.size(single || options.batch_first ? 0 : 1);
  s.steps = single ? 1 : x.size(options.batch_first ? 1 : 0);
  op.check(s.steps >= 1, "input of shape ", x.shape(), "; expected one step or more");
  s.inputs = w.size(1);
  s.hidden = s.out = w.size(0) / gates;
  if (const Tensor& projection = op.input(kWeightHr); projection.defined()) {
    op.check<ConfigError>(cell == Cell::lstm, "weight_hr is of lstm only; expected none");
    op.check(projection.dim() == 2 && projection.size(0) > 0, "weight_hr of shape ",
             projection.shape(), "; expected (projected, ", s.hidden, ")");
    s.out = projection.size(0);
    check_shape(op, kWeightHr, {s.out, s.hidden});
  }
  op.check(u.shape() == Shape{gates * s.hidden, s.out}, "weight_hh of shape ", u.shape(),
           "; expected ", Shape{gates * s.hidden, s.out});
  check_shape(op, kBiasIh, {gates * s.hidden});
  check_shape(op, kBiasHh, {gates * s.hidden});
  check_shape(op, kH0, {s.batch, s.out});
  check_shape(op, kC0, {s.batch, s.hidden});
  s.lengths = checked_lengths(op, options.lengths, s.batch, s.steps);
  return s;
}

// Columns [first, first + count) of rows of `width` elements.
Tensor columns(const Tensor& rows, int64_t first, int64_t count) {
  return make_view(rows, {rows.size(0), count}, rows.strides(), rows.impl()->offset + first);
}

// Rows [first, first + count) of a matrix.
Tensor rows_of(const Tensor& x, int64_t first, int64_t count) {
  return make_view(x, {count, x.size(1)}, x.strides(), x.impl()->offset + first * x.strides()[0]);
}

// x as (rows, inputs) in memory's own order of times and items, which `sizes` gets; a copy where
// neither order is one of rows.
Tensor input_rows(const Tensor& x, Sizes& sizes) {
  if (sizes.single) return x;
  const Shape& shape = x.shape();
  const Strides& strides = x.strides();
  Strides flat;
  sizes.items_outside = sizes.batch_first;
  if (view_strides(shape, strides, {sizes.rows(), sizes.inputs}, flat)) {
    return make_view(x, {sizes.rows(), sizes.inputs}, flat, x.impl()->offset);
  }
  if (view_strides({shape[1], shape[0], shape[2]}, {strides[1], strides[0], strides[2]},
                   {sizes.rows(), sizes.inputs}, flat)) {
    sizes.items_outside = !sizes.batch_first;
    return make_view(x, {sizes.rows(), sizes.inputs}, flat, x.impl()->offset);
  }
  return make_view(packed(x), {sizes.rows(), sizes.inputs}, {sizes.inputs, 1}, 0);
}

// The rows of x for a product over all times: zeros beyond an item's length, where the gradient is
// zero and x may be anything.
Tensor own_rows(const Tensor& x, Sizes sizes) {
  Tensor rows = input_rows(x, sizes);
  if (sizes.lengths == nullptr) return rows;
  std::vector<int64_t> there(static_cast<size_t>(sizes.rows()));
  for (int64_t b = 0; b < sizes.batch; ++b) {
    for (int64_t t = 0; t < (*sizes.lengths)[static_cast<size_t>(b)]; ++t) {
      there[static_cast<size_t>(t * sizes.t_rows() + b * sizes.b_rows())] = 1;
    }
  }
  const NoGrad guard;
  return where(from_vector(there, {sizes.rows(), 1}) == 1, rows, 0.0);
}

// The biases as kernels take them: what is added before the steps, and gru's in them.
struct Biases {
  Tensor before, candidate;

  Biases(const Sizes& s, const Tensor& ih, const Tensor& hh) {
    const NoGrad guard;
    if (s.cell == Cell::gru && hh.defined()) {
      const int64_t two = 2 * s.hidden;
      const Tensor both = zeros({s.gates()}, hh.dtype());
      write_elements(slice(both, 0, 0, two), slice(hh, 0, 0, two));
      before = ih.defined() ? both + ih : both;
      candidate = packed(slice(hh, 0, two, s.gates()));
    } else {
      before = !hh.defined() ? packed(ih) : ih.defined() ? packed(ih + hh) : packed(hh);
    }
  }
};

// What a forward keeps for its backward, made here and never seen by anybody else.
struct Kept {
  Tensor gates, entered, entered_c, projected;
};

kernels::RecurrentLayer layer_of(const Sizes& s, const Tensor& weight_hh, const Tensor& weight_hr,
                                 const Kept& kept) {
  kernels::RecurrentLayer l{};
  l.cell = s.cell;
  l.steps = s.steps;
  l.batch = s.batch;
  l.hidden = s.hidden;
  l.out = s.out;
  l.gate_row = kept.gates.size(1);
  l.entered_row = kept.entered.defined() ? kept.entered.size(1) : 0;
  l.t_rows = s.t_rows();
  l.b_rows = s.b_rows();
  l.reverse = s.reverse;
  l.lengths = s.lengths != nullptr ? s.lengths->data() : nullptr;
  l.weight = weight_hh.raw_data();
  l.weight_row = weight_hh.strides()[0];
  l.weight_col = weight_hh.strides()[1];
  if (weight_hr.defined()) {
    l.projection = weight_hr.raw_data();
    l.projection_row = weight_hr.strides()[0];
    l.projection_col = weight_hr.strides()[1];
  }
  l.kept = {bytes_or_null(kept.gates), bytes_or_null(kept.entered), bytes_or_null(kept.entered_c),
            bytes_or_null(kept.projected)};
  return l;
}

// Elements from time to time and from item to item of an output.
std::pair<int64_t, int64_t> output_strides(const Sizes& s, const Tensor& y) {
  const int time_dim = s.batch_first ? 1 : 0;
  return {y.strides()[time_dim], y.strides()[1 - time_dim]};
}

struct Saved {
  std::array<SavedTensor, kRecurrentInputs> inputs;
  Sizes sizes;
  Kept kept;
  Precision precision;
};

// As if it had been written out: differentiable again.
Grads recorded_gradients(const Saved& s, const Backward& b) {
  Tensors inputs, dy;
  for (const SavedTensor& x : s.inputs) inputs.push_back(*x);
  for (int i = 0; i < (s.sizes.cell == Cell::lstm ? 3 : 2); ++i) dy.push_back(b.dy(i));
  if (s.sizes.single) dy.erase(dy.begin());
  RecurrentOptions options{.batch_first = s.sizes.batch_first, .reverse = s.sizes.reverse};
  if (s.sizes.lengths != nullptr) options.lengths = from_vector(*s.sizes.lengths);
  const auto definition = [&](const Tensors& in) {
    Tensors outputs = composed::recurrent(s.sizes.cell, in, options);
    if (s.sizes.single) outputs.erase(outputs.begin());
    if (s.sizes.cell != Cell::lstm) outputs.pop_back();
    return outputs;
  };
  return Grads(vjp(definition, inputs, dy).second);
}

// a b, added to the buffer that the engine offers for this gradient or in a new tensor.
Tensor product_to(const Backward& g, int input, const Shape& shape, const Tensor& a,
                  const Tensor& b) {
  const Tensor into = g.into(input);
  Tensor d = into.defined() ? into : make_empty("backward", shape, a.dtype());
  contract(d, a, b, {.accumulate = into.defined()});
  return d;
}

// The gradients of everything, from those of the gates.
class FusedGradients {
 public:
  FusedGradients(const Saved& s, const Backward& b)
      : s_(s), sizes_(s.sizes), b_(b), dtype_(s.kept.gates.dtype()) {
    weight_hh_ = *s.inputs[kWeightHh];
    weight_hr_ = *s.inputs[kWeightHr];
    dgates_ = make_empty("backward", s.kept.gates.shape(), dtype_);
    if (b.needs(kH0)) d_[kH0] = make_empty("backward", {sizes_.batch, sizes_.out}, dtype_);
    if (b.needs(kC0)) d_[kC0] = make_empty("backward", {sizes_.batch, sizes_.hidden}, dtype_);
    if (weight_hr_.defined()) {
      dprojected_ = make_empty("backward", {sizes_.rows(), sizes_.out}, dtype_);
    }
  }

  Grads operator()() {
    run_steps();
    const PrecisionGuard guard(s_.precision);
    if (b_.needs(kX)) input_gradient();
    if (b_.needs(kH0)) state_gradient();
    const Tensor to_inputs = columns(dgates_, 0, sizes_.gates());
    if (b_.needs(kWeightIh)) {
      d_[kWeightIh] = product_to(b_, kWeightIh, {sizes_.gates(), sizes_.inputs},
                                 transposed(to_inputs), own_rows(*s_.inputs[kX], sizes_));
    }
    if (b_.needs(kWeightHh)) weight_gradient();
    if (b_.needs(kWeightHr)) {
      d_[kWeightHr] = product_to(b_, kWeightHr, {sizes_.out, sizes_.hidden},
                                 transposed(dprojected_), s_.kept.projected);
    }
    if (b_.needs(kBiasIh) || b_.needs(kBiasHh)) bias_gradients();
    return Grads(Tensors(d_.begin(), d_.end()));
  }

 private:
  void run_steps() {
    const bool has_c = sizes_.cell == Cell::lstm;
    Tensor dy = sizes_.single ? Tensor() : b_.dy(0);
    if (dy.defined() && dy.strides().back() != 1) dy = packed(dy);
    const Tensor dh = packed(b_.dy(1)), dc = has_c ? packed(b_.dy(2)) : Tensor();
    kernels::RecurrentBackward work{};
    work.layer = layer_of(sizes_, weight_hh_, weight_hr_, s_.kept);
    if (dy.defined()) {
      work.dy = dy.raw_data();
      std::tie(work.dy_step, work.dy_row) = output_strides(sizes_, dy);
    }
    work.dh = data_or_null(dh);
    work.dc = data_or_null(dc);
    work.dgates = dgates_.impl()->bytes();
    work.dprojected = bytes_or_null(dprojected_);
    work.dh0 = bytes_or_null(d_[kH0]);
    work.dc0 = bytes_or_null(d_[kC0]);
    kernel_table().recurrent.backward[index(dtype_)](KernelScope(), work);
  }

  void input_gradient() {
    const Tensor into = b_.into(kX), to_inputs = columns(dgates_, 0, sizes_.gates());
    const Tensor weight = *s_.inputs[kWeightIh];
    Sizes own = sizes_;
    if (into.defined()) {
      const Tensor rows = input_rows(into, own);
      if (own.items_outside == sizes_.items_outside &&
          rows.impl()->storage == into.impl()->storage) {
        contract(rows, to_inputs, weight, {.accumulate = true});
        d_[kX] = into;
        return;
      }
    }
    const Tensor rows = make_empty("backward", {sizes_.rows(), sizes_.inputs}, dtype_);
    contract(rows, to_inputs, weight);
    if (sizes_.single) {
      d_[kX] = rows;
      return;
    }
    const int64_t t = sizes_.t_rows() * sizes_.inputs, b = sizes_.b_rows() * sizes_.inputs;
    d_[kX] = sizes_.batch_first
                 ? make_view(rows, {sizes_.batch, sizes_.steps, sizes_.inputs}, {b, t, 1}, 0)
                 : make_view(rows, {sizes_.steps, sizes_.batch, sizes_.inputs}, {t, b, 1}, 0);
  }

  // What reaches the products of the state is not one matrix for gru: its candidate's is apart.
  template <class F>
  void each_part(const F& f) const {
    if (sizes_.cell != Cell::gru) return f(0, 0, sizes_.gates());
    f(0, 0, 2 * sizes_.hidden);
    f(3 * sizes_.hidden, 2 * sizes_.hidden, sizes_.hidden);
  }

  // Through the gates of the first step; what came past them is there.
  void state_gradient() {
    const int64_t first = sizes_.reverse ? sizes_.steps - 1 : 0;
    const int64_t width = dgates_.size(1);
    const Tensor step = make_view(dgates_, {sizes_.batch, width}, {sizes_.b_rows() * width, 1},
                                  first * sizes_.t_rows() * width);
    each_part([&](int64_t column, int64_t row, int64_t count) {
      contract(d_[kH0], columns(step, column, count), rows_of(weight_hh_, row, count),
               {.accumulate = true});
    });
  }

  void weight_gradient() {
    const Tensor into = b_.into(kWeightHh);
    const Tensor d = into.defined() ? into : make_empty("backward", weight_hh_.shape(), dtype_);
    each_part([&](int64_t column, int64_t row, int64_t count) {
      contract(rows_of(d, row, count), transposed(columns(dgates_, column, count)),
               columns(s_.kept.entered, 0, sizes_.out), {.accumulate = into.defined()});
    });
    d_[kWeightHh] = d;
  }

  void bias_gradients() {
    const NoGrad guard;
    const int64_t width = dgates_.size(1), hidden = sizes_.hidden, gates = sizes_.gates();
    const Tensor sums = make_empty("backward", {width}, dtype_);
    kernel_table().gemm.activation_backward[index(dtype_)](
        KernelScope(), {sizes_.rows(), width, kernels::Activation::none, nullptr,
                        dgates_.raw_data(), nullptr, sums.impl()->bytes()});
    const auto part = [&](int64_t first, int64_t end) { return slice(sums, 0, first, end); };
    // Tensors of their own, for whoever writes into one of the two.
    if (b_.needs(kBiasIh)) d_[kBiasIh] = clone(part(0, gates));
    if (!b_.needs(kBiasHh)) return;
    d_[kBiasHh] = sizes_.cell == Cell::gru
                      ? cat({part(0, 2 * hidden), part(gates, gates + hidden)}, 0)
                      : clone(part(0, gates));
  }

  const Saved& s_;
  const Sizes& sizes_;
  const Backward& b_;
  DType dtype_;
  Tensor weight_hh_, weight_hr_, dgates_, dprojected_;
  std::array<Tensor, kRecurrentInputs> d_;
};

Tensor room(const Op& op, int64_t rows, int64_t width) {
  return make_empty(op.name(), {rows, width}, op.input(kX).dtype());
}

// Room for what a forward keeps; without a backward, for the gates alone.
Kept make_kept(const Op& op, const Sizes& s) {
  const DType dtype = op.input(kX).dtype();
  if (!op.recording()) return {room(op, s.rows(), Sizes::row_for(s.gates(), dtype)), {}, {}, {}};
  Kept kept;
  kept.gates = room(op, s.rows(), Sizes::row_for(s.kept_width(), dtype));
  kept.entered = room(op, s.rows(), Sizes::row_for(s.out, dtype));
  if (s.cell == Cell::lstm) kept.entered_c = room(op, s.rows(), s.hidden);
  if (op.input(kWeightHr).defined()) kept.projected = room(op, s.rows(), s.hidden);
  return kept;
}

// The products of a single step with the state: a weight that is read once need not be packed.
// Undefined for several steps.
Tensor single_sums(const Op& op, const Sizes& s) {
  if (s.steps > 1) return {};
  const Tensor& h0 = op.input(kH0);
  if (!h0.defined()) return zeros({s.batch, s.gates()}, op.input(kX).dtype());
  Tensor sums = room(op, s.batch, s.gates());
  contract(sums, h0, transposed(op.input(kWeightHh)));
  return sums;
}

// All inputs of the dtype that is computed in.
Tensors run(const Op& op, Sizes sizes) {
  const Tensor x = input_rows(op.input(kX), sizes);
  const Biases biases(sizes, op.input(kBiasIh), op.input(kBiasHh));
  const Kept kept = make_kept(op, sizes);
  contract(columns(kept.gates, 0, sizes.gates()), x, transposed(op.input(kWeightIh)),
           {.bias = biases.before});
  const Tensor sums = single_sums(op, sizes), h0 = packed(op.input(kH0)),
               c0 = packed(op.input(kC0));
  const Tensor y = sizes.single ? Tensor() : make_empty(op.name(), sizes.output_shape(), x.dtype());
  const Tensor h = room(op, sizes.batch, sizes.out);
  const Tensor c = sizes.cell == Cell::lstm ? room(op, sizes.batch, sizes.hidden) : Tensor();
  kernels::RecurrentForward work{};
  work.layer = layer_of(sizes, op.input(kWeightHh), op.input(kWeightHr), kept);
  work.keeps = op.recording();
  work.sums = data_or_null(sums);
  work.bias = data_or_null(biases.candidate);
  work.h0 = data_or_null(h0);
  work.c0 = data_or_null(c0);
  work.y = bytes_or_null(y);
  if (y.defined()) std::tie(work.y_step, work.y_row) = output_strides(sizes, y);
  work.h = h.impl()->bytes();
  work.c = bytes_or_null(c);
  kernel_table().recurrent.forward[index(x.dtype())](KernelScope(), work);

  Saved saved{{}, sizes, kept, float32_matmul_precision()};
  for (int i = 0; i < kRecurrentInputs; ++i) {
    saved.inputs[static_cast<size_t>(i)] = op.save_if(op.input(i).defined(), op.input(i));
  }
  return op.differentiable(Tensors{y, h, c}, [s = std::move(saved)](const Backward& b) -> Grads {
    return grad_enabled() ? recorded_gradients(s, b) : FusedGradients(s, b)();
  });
}

// Output, h and c of a cell, or of a layer of it: those that there are.
Tensors recurrent(const char* name, Cell cell, bool single, const Tensors& in,
                  const RecurrentOptions& options) {
  const Op op(
      name,
      {in[kX], optional_input(in[kH0]), optional_input(in[kC0]), in[kWeightIh], in[kWeightHh],
       optional_input(in[kBiasIh]), optional_input(in[kBiasHh]), optional_input(in[kWeightHr])},
      {{"batch_first", options.batch_first}, {"reverse", options.reverse}});
  const Sizes sizes = sizes_of(op, cell, single, options);
  DType promoted = in[kX].dtype();
  for (const Tensor& x : in) promoted = x.defined() ? promote(promoted, x.dtype()) : promoted;
  op.check<DTypeError>(is_floating_point(promoted), "operands of dtype ", promoted,
                       "; expected a floating dtype");
  const DType dtype = op.computes_in(promoted, Casts::product), wide = computed_in(dtype);
  const auto cast = [](const Tensors& from, DType to_dtype) {
    Tensors result;
    for (const Tensor& x : from) result.push_back(in_dtype(x, to_dtype));
    return result;
  };
  bool as_they_are = dtype == wide;
  for (const Tensor& x : in) as_they_are = as_they_are && (!x.defined() || x.dtype() == wide);
  if (as_they_are) return run(op, sizes);
  const Autocast off(false);
  return cast(recurrent(name, cell, single, cast(cast(in, dtype), wide), options), dtype);
}

Tensors inputs_of(const Tensor& x, const Tensor& h, const Tensor& c, const RecurrentWeights& w) {
  return {x, h, c, w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh, w.weight_hr};
}

RecurrentResult without_c(const char* name, Cell cell, const Tensor& x, const Tensor& h0,
                          const RecurrentWeights& weights, const RecurrentOptions& options) {
  const Tensors y = recurrent(name, cell, false, inputs_of(x, h0, {}, weights), options);
  return {y[0], y[1]};
}

Tensor one_step(const char* name, Cell cell, const Tensor& x, const Tensor& h,
                const RecurrentWeights& weights) {
  return recurrent(name, cell, true, inputs_of(x, h, {}, weights), {})[1];
}

}  // namespace

LstmResult lstm(const Tensor& x, const Tensor& h0, const Tensor& c0,
                const RecurrentWeights& weights, const RecurrentOptions& options) {
  const Tensors y = recurrent("lstm", Cell::lstm, false, inputs_of(x, h0, c0, weights), options);
  return {y[0], y[1], y[2]};
}

RecurrentResult gru(const Tensor& x, const Tensor& h0, const RecurrentWeights& weights,
                    const RecurrentOptions& options) {
  return without_c("gru", Cell::gru, x, h0, weights, options);
}

RecurrentResult rnn_tanh(const Tensor& x, const Tensor& h0, const RecurrentWeights& weights,
                         const RecurrentOptions& options) {
  return without_c("rnn_tanh", Cell::rnn_tanh, x, h0, weights, options);
}

RecurrentResult rnn_relu(const Tensor& x, const Tensor& h0, const RecurrentWeights& weights,
                         const RecurrentOptions& options) {
  return without_c("rnn_relu", Cell::rnn_relu, x, h0, weights, options);
}

LstmState lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c,
                    const RecurrentWeights& weights) {
  const Tensors y = recurrent("lstm_cell", Cell::lstm, true, inputs_of(x, h, c, weights), {});
  return {y[1], y[2]};
}

Tensor gru_cell(const Tensor& x, const Tensor& h, const RecurrentWeights& weights) {
  return one_step("gru_cell", Cell::gru, x, h, weights);
}

Tensor rnn_tanh_cell(const Tensor& x, const Tensor& h, const RecurrentWeights& weights) {
  return one_step("rnn_tanh_cell", Cell::rnn_tanh, x, h, weights);
}

Tensor rnn_relu_cell(const Tensor& x, const Tensor& h, const RecurrentWeights& weights) {
  return one_step("rnn_relu_cell", Cell::rnn_relu, x, h, weights);
}

}  // namespace adjoint
