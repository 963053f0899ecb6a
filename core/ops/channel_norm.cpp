// Normalisation of channels: over the batch, and in groups of each sample.
#include "core/ops/channel_norm.h"

#include <adjoint/core/autograd.h>
#include <adjoint/core/functional.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <utility>
#include <vector>

#include "core/autograd/op.h"
#include "core/ops/norm.h"
#include "core/ops/resample.h"

namespace adjoint {
namespace {

// x (N, C, ...) as (N, groups, C / groups, places), and whether statistics are over the batch too.
struct Layout {
  int64_t batch, groups, each, places;
  bool over_batch;

  int64_t channels() const { return groups * each; }
  int64_t statistics() const { return over_batch ? groups : batch * groups; }
  int64_t count() const { return each * places * (over_batch ? batch : 1); }
  Shape apart() const { return {batch, groups, each, places}; }
  Shape dims() const { return over_batch ? Shape{0, 2, 3} : Shape{2, 3}; }
  // The shape of one number for each group, beside that of `apart`.
  Shape by_group() const { return {over_batch ? 1 : batch, groups, 1, 1}; }
  kernels::Runs runs() const {
    if (over_batch) {  // each is 1
      return {groups, batch, places, places, groups * places, groups, 1};
    }
    return {batch * groups, each, places, each * places, places, channels(), each};
  }
};

Layout layout_of(const Tensor& x, int64_t groups, bool over_batch) {
  int64_t places = 1;
  for (int d = 2; d < x.dim(); ++d) places *= x.shape()[d];
  const int64_t channels = x.shape()[1];
  return {x.shape()[0], groups, groups > 0 ? channels / groups : 1, places, over_batch};
}

// z = (x - mean) rstd weight + bias; the statistics are those of x unless they are given (for each
// group). All of one dtype.
Tensor definition(const Layout& at, const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& mean, const Tensor& rstd, double eps) {
  const Tensor x0 = reshape(x, at.apart());
  Tensor y;
  if (mean.defined()) {
    y = (x0 - reshape(mean, at.by_group())) * reshape(rstd, at.by_group());
  } else {
    const Tensor centred = x0 - adjoint::mean(x0, at.dims(), kKeepDim);
    y = centred / sqrt(adjoint::mean(square(centred), at.dims(), kKeepDim) + eps);
  }
  const Shape by_channel{at.groups, at.each, 1};
  if (weight.defined()) y = y * reshape(weight, by_channel);
  if (bias.defined()) y = y + reshape(bias, by_channel);
  return reshape(y, x.shape());
}

// What the backward keeps; mean and rstd are made here and never seen by anybody else.
struct Saved {
  Layout at;
  double eps;
  bool given;
  int inputs;  // of the operator: x, weight, bias, and running statistics where it takes those
  SavedTensor x, weight, bias;
  Tensor mean, rstd;
};

// Running statistics have no gradient.
Grads of_inputs(int inputs, const Tensor& dx, const Tensor& dweight, const Tensor& dbias) {
  if (inputs == 3) return {dx, dweight, dbias};
  return {dx, dweight, dbias, Tensor(), Tensor()};
}

Grads recorded_gradients(const Saved& s, const Tensor& dy) {
  const std::vector<Tensor> inputs{*s.x, s.weight.defined() ? *s.weight : Tensor(),
                                   s.bias.defined() ? *s.bias : Tensor()};
  const auto f = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    const DType wide = computed_in(dy.dtype());
    const Tensor y = definition(s.at, to(in[0], wide), in_dtype(in[1], wide), in_dtype(in[2], wide),
                                s.given ? s.mean : Tensor(), s.rstd, s.eps);
    return {to(y, dy.dtype())};
  };
  const std::vector<Tensor> d = vjp(f, inputs, {dy}).second;
  return of_inputs(s.inputs, d[0], d[1], d[2]);
}

Grads fused_gradients(const char* name, const Saved& s, const Backward& b) {
  const Tensor x = packed(*s.x);
  const DType wide = computed_in(x.dtype());
  const Tensor weight = s.weight.defined() ? packed_in(*s.weight, wide) : Tensor();
  const Tensor dy = packed(b.take_dy(0));
  Tensor dx, dweight, dbias;
  if (b.needs(0)) dx = make_over(name, dy, dy.shape(), x.dtype());
  if (s.weight.defined() && b.needs(1)) dweight = make_empty(name, {s.at.channels()}, wide);
  if (s.bias.defined() && b.needs(2)) dbias = make_empty(name, {s.at.channels()}, wide);
  kernel_table().channel_norm.backward[index(x.dtype())](
      KernelScope(), {s.at.runs(), s.given, x.raw_data(), data_or_null(weight), s.mean.raw_data(),
                      s.rstd.raw_data(), dy.raw_data(), bytes_or_null(dx), bytes_or_null(dweight),
                      bytes_or_null(dbias)});
  return of_inputs(s.inputs, dx, dweight, dbias);
}

// Mean and 1 / sqrt(variance + eps) of each group: given, or to be found, with the variance.
struct Statistics {
  Tensor mean, variance, rstd;
};

// z = (x - mean) rstd, y = z w + bias;   with g = dy w and means over a group,
// dx = (g - mean(g) - z mean(g z)) rstd, dw = sum(dy z), dbias = sum(dy); dx = g rstd where the
// statistics are given
Tensor normalised(const Op& op, const Layout& at, const Tensor& x, const Tensor& weight,
                  const Tensor& bias, double eps, Statistics& statistics) {
  const DType wide = computed_in(x.dtype());
  const bool given = statistics.mean.defined();
  if (!given) {
    for (Tensor* one : {&statistics.mean, &statistics.variance, &statistics.rstd}) {
      *one = x.numel() > 0 ? make_empty(op.name(), {at.statistics()}, wide)
                           : zeros({at.statistics()}, wide);
    }
  }
  const Tensor x0 = packed(x), weight0 = packed_in(weight, wide), bias0 = packed_in(bias, wide);
  Tensor y = make_empty(op.name(), x.shape(), x.dtype());
  if (x.numel() > 0) {
    kernel_table().channel_norm.forward[index(x.dtype())](
        KernelScope(), {at.runs(), eps, given, x0.raw_data(), data_or_null(weight0),
                        data_or_null(bias0), y.impl()->bytes(), statistics.mean.impl()->bytes(),
                        bytes_or_null(statistics.variance), statistics.rstd.impl()->bytes()});
  }
  Saved saved{at,
              eps,
              given,
              op.input_count(),
              op.save(x),
              op.save_if(weight.defined(), weight),
              op.save_if(bias.defined(), bias),
              statistics.mean,
              statistics.rstd};
  return op.differentiable(y, [name = op.name(), s = std::move(saved)](const Backward& b) -> Grads {
    if (grad_enabled()) return recorded_gradients(s, b.dy(0));
    return fused_gradients(name, s, b);
  });
}

// weight and bias, and running statistics, of one number for each channel.
void check_channels(const Op& op, const Tensor& x, int least_dims) {
  op.check_floating(0);
  op.check(x.dim() >= least_dims, "input of shape ", x.shape(), "; expected (N, C, ",
           least_dims > 2 ? "sizes...)" : "...)");
  constexpr const char* names[] = {"", "weight", "bias", "running_mean", "running_var"};
  for (int i = 1; i < op.input_count(); ++i) {
    const Tensor& p = op.input(i);
    op.check(!p.defined() || p.shape() == Shape{x.shape()[1]}, names[i], " of shape ",
             p.defined() ? p.shape() : Shape(), " for ", x.shape()[1],
             " channels; expected one number for each");
  }
}

// running = (1 - momentum) running + momentum batch.
void update(const Tensor& running, const Tensor& batch, double momentum) {
  if (!running.defined()) return;
  mul_(running, 1 - momentum);
  add_(running, to(batch, running.dtype()) * momentum);
}

// The statistics of a batch take their part of the running ones; of several samples their average.
void update_running(const Tensor& mean, const Tensor& var, const Statistics& of, const Layout& at,
                    double momentum) {
  if (recomputing() || (!mean.defined() && !var.defined())) return;
  const NoGrad guard;
  const auto count = static_cast<double>(at.count());
  const auto by_channel = [&](const Tensor& x) {
    return at.over_batch ? x : adjoint::mean(reshape(x, {at.batch, at.groups}), {0});
  };
  update(mean, by_channel(of.mean), momentum);
  update(var, by_channel(of.variance) * (count / (count - 1)), momentum);
}

void check_running(const Op& op, const Tensor& mean, const Tensor& var, bool needed) {
  op.check<ConfigError>(mean.defined() == var.defined(), "running_mean and running_var are not ",
                        "both given; expected both or none");
  op.check<ConfigError>(mean.defined() || !needed,
                        "no running statistics; expected them where those of the input are not "
                        "used");
}

// Running statistics as the kernel takes them.
Statistics given_statistics(const Tensor& mean, const Tensor& var, DType wide, double eps) {
  const NoGrad guard;
  return {clone(rounded(mean, wide)), {}, packed(rsqrt(to(var.detach(), wide) + eps))};
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double momentum,
                  double eps) {
  const Op op("batch_norm",
              {x, optional_input(weight), optional_input(bias), optional_input(running_mean),
               optional_input(running_var)},
              {{"training", training}, {"momentum", momentum}, {"eps", eps}});
  check_channels(op, x, 2);
  check_running(op, running_mean, running_var, !training);
  const DType dtype = result_dtype(x, common_dtype({&x, &weight, &bias}));
  if (!is_half(dtype) && !all_of_dtype(dtype, {&x, &weight, &bias})) {
    return batch_norm(to(x, dtype), running_mean, running_var, in_dtype(weight, dtype),
                      in_dtype(bias, dtype), training, momentum, eps);
  }
  const Layout at = layout_of(x, x.shape()[1], true);
  op.check(!training || at.count() != 1, "one value for each channel of shape ", x.shape(),
           "; expected more in training");
  Statistics statistics;
  if (!training) {
    statistics = given_statistics(running_mean, running_var, computed_in(dtype), eps);
  }
  Tensor y = normalised(op, at, x, weight, bias, eps, statistics);
  if (training && x.numel() > 0) {
    update_running(running_mean, running_var, statistics, at, momentum);
  }
  return y;
}

Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight, const Tensor& bias,
                  double eps) {
  const Op op("group_norm", {x, optional_input(weight), optional_input(bias)},
              {{"num_groups", num_groups}, {"eps", eps}});
  check_channels(op, x, 2);
  op.check(num_groups >= 1 && x.shape()[1] % num_groups == 0, num_groups, " groups of ",
           x.shape()[1], " channels; expected a divisor of them");
  const DType dtype = result_dtype(x, common_dtype({&x, &weight, &bias}));
  if (!is_half(dtype) && !all_of_dtype(dtype, {&x, &weight, &bias})) {
    return group_norm(to(x, dtype), num_groups, in_dtype(weight, dtype), in_dtype(bias, dtype),
                      eps);
  }
  Statistics statistics;
  return normalised(op, layout_of(x, num_groups, false), x, weight, bias, eps, statistics);
}

Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                     const Tensor& weight, const Tensor& bias, bool use_input_stats,
                     double momentum, double eps) {
  const Op op("instance_norm",
              {x, optional_input(weight), optional_input(bias), optional_input(running_mean),
               optional_input(running_var)},
              {{"use_input_stats", use_input_stats}, {"momentum", momentum}, {"eps", eps}});
  check_channels(op, x, 3);
  check_running(op, running_mean, running_var, !use_input_stats);
  const DType dtype = result_dtype(x, common_dtype({&x, &weight, &bias}));
  if (!is_half(dtype) && !all_of_dtype(dtype, {&x, &weight, &bias})) {
    return instance_norm(to(x, dtype), running_mean, running_var, in_dtype(weight, dtype),
                         in_dtype(bias, dtype), use_input_stats, momentum, eps);
  }
  const Layout at = layout_of(x, x.shape()[1], !use_input_stats);
  op.check(!use_input_stats || at.places != 1, "one value for each channel of shape ", x.shape(),
           "; expected more where the input's statistics are used");
  Statistics statistics;
  if (!use_input_stats) {
    statistics = given_statistics(running_mean, running_var, computed_in(dtype), eps);
  }
  Tensor y = normalised(op, at, x, weight, bias, eps, statistics);
  if (use_input_stats && x.numel() > 0) {
    update_running(running_mean, running_var, statistics, at, momentum);
  }
  return y;
}

// y = x / (k + alpha mean(x^2))^beta, the mean over channels around
Tensor local_response_norm(const Tensor& x, int64_t size, double alpha, double beta, double k) {
  constexpr const char* kName = "local_response_norm";
  check_defined(kName, x, 0);
  check_floating_input(kName, x);
  check<ShapeError>(x.dim() >= 3, kName, ": input of shape ", x.shape(),
                    "; expected (N, C, sizes...)");
  check<ConfigError>(size >= 1, kName, ": size is ", size, "; expected 1 or more");
  const Layout at = layout_of(x, x.shape()[1], false);
  const auto around = std::make_shared<Resampling>();
  around->in = around->out = {at.groups, at.places};
  around->dims[2] = identity(at.places);
  SparseRows& rows = around->dims[1];
  rows = SparseRows();
  rows.in = at.groups;
  for (int64_t c = 0; c < at.groups; ++c, rows.end_row()) {
    const int64_t first = c - size / 2;
    for (int64_t i = std::max<int64_t>(first, 0); i < std::min(first + size, at.groups); ++i) {
      rows.add(i, 1.0 / static_cast<double>(size));
    }
  }
  const Tensor wide = to(x, computed_in(x.dtype()));
  const Tensor squares = reshape(square(wide), {at.batch, at.groups, at.places});
  const Tensor means = reshape(resampled(kName, squares, around), x.shape());
  return to(wide / pow(means * alpha + k, beta), x.dtype());
}

namespace composed {

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double eps) {
  const Statistics given =
      training ? Statistics() : given_statistics(running_mean, running_var, x.dtype(), eps);
  return definition(layout_of(x, x.shape()[1], true), x, weight, bias, given.mean, given.rstd, eps);
}

Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight, const Tensor& bias,
                  double eps) {
  return definition(layout_of(x, num_groups, false), x, weight, bias, {}, {}, eps);
}

}  // namespace composed
}  // namespace adjoint
