// Functions of a user's own: what forward and backward are given, and what they may not do.
#include <adjoint/core/activations.h>
#include <adjoint/core/function.h>
#include <adjoint/core/gradcheck.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/slot.h>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using Tensors = std::vector<Tensor>;
using numeric::message_of;
using numeric::random;
using numeric::values;

struct MyExp : Function<MyExp> {
  static Tensor forward(Context& context, const Tensor& x) {
    EXPECT_FALSE(grad_enabled());
    Tensor y = exp(x);
    context.save_for_backward({y});
    return y;
  }
  static Tensors backward(Context& context, const Tensors& dy) {
    return {dy[0] * context.saved(0)};
  }
};

struct AxpyState {
  double factor = 0;
};
// a x y and x^2, with everything that a context has.
struct Axpy : Function<Axpy, AxpyState> {
  static std::pair<Tensor, Tensors> forward(Context& context, const Tensor& x, double factor,
                                            const Tensors& ys, const char* name) {
    EXPECT_STREQ(name, "axpy");
    context.state.factor = factor;
    context.save_for_backward({x, ys[0]});
    return {x * ys[0] * factor, {x * x, argmax(x, 0)}};
  }
  static Tensors backward(Context& context, const Tensors& dy) {
    const Tensors saved = context.saved();
    const Tensor &x = saved[0], &y = saved[1];
    EXPECT_EQ(dy.size(), 3u);
    Tensors dx(3);  // x, and two ys
    if (context.needs_input_grad(0)) {
      dx[0] = dy[0] * y * context.state.factor + dy[1] * x * 2.0;
    }
    if (context.needs_input_grad(1)) dx[1] = dy[0] * x * context.state.factor;
    return dx;
  }
};

TEST(Function, IsAnOperator) {
  const Tensor x = random({2, 3}, 1).requires_grad_();
  const Tensor y = MyExp::apply(x);
  EXPECT_STREQ(y.grad_fn_name(), "MyExp");
  const Tensor dy = random({2, 3}, 2);
  y.backward({.gradient = dy});
  numeric::expect_same_bits(x.grad(), dy * exp(x.detach()));
}

TEST(Function, IsDifferentiableAgain) {
  const auto f = [](const Tensors& in) { return MyExp::apply(in[0] * in[1]); };
  const Tensors inputs = {random({2, 3}, 1), random({3}, 2)};
  EXPECT_TRUE(gradcheck(f, inputs).passed);
  EXPECT_TRUE(gradgradcheck(f, inputs).passed);
  const Tensor x = tensor<double>({0.5}).requires_grad_();
  Tensor d = MyExp::apply(x * 2.0);
  for (int i = 0; i < 3; ++i) d = grad({d}, {x}, {.create_graph = true})[0];
  EXPECT_NEAR(d.item(), 8 * std::exp(1.0), 1e-12);
}

TEST(Function, TakesAndReturnsSeveralTensorsAndOtherThings) {
  const TensorFunction f = [](const Tensors& in) -> Tensors {
    const auto [product, rest] = Axpy::apply(in[0], 1.5, Tensors{in[1], in[2]}, "axpy");
    EXPECT_FALSE(rest[1].requires_grad());
    return {product, rest[0], rest[1]};
  };
  const Tensors inputs = {random({4}, 1), random({4}, 2), random({4}, 3)};
  const GradcheckReport first = gradcheck(f, inputs), second = gradgradcheck(f, inputs);
  EXPECT_TRUE(first.passed) << first.message;
  EXPECT_TRUE(second.passed) << second.message;
}

TEST(Function, TakesUndefinedTensorsAndParameters) {
  struct AddBias : Function<AddBias> {
    static Tensor forward(Context& context, const Tensor& x, const Tensor& bias) {
      EXPECT_TRUE(context.needs_input_grad(0));
      EXPECT_EQ(context.needs_input_grad(1), bias.defined());
      EXPECT_THROW((void)context.needs_input_grad(2), IndexError);
      return bias.defined() ? x + bias : x;
    }
    static Tensors backward(Context&, const Tensors& dy) { return {dy[0], dy[0]}; }
  };
  const Tensor x = random({2, 3}, 1).requires_grad_();
  sum(AddBias::apply(x, Tensor())).backward();
  EXPECT_EQ(values(x.grad()), std::vector<double>(6, 1));
  const Parameter bias(random({3}, 2));
  sum(AddBias::apply(x, bias)).backward();
  EXPECT_EQ(values(bias.grad()), std::vector<double>(3, 2));  // summed over what was broadcast
}

TEST(Function, RecordsNothingWhereNothingIsWanted) {
  const int64_t nodes = live_nodes();
  const Tensor x = random({3}, 1);
  EXPECT_FALSE(MyExp::apply(x).requires_grad());
  x.requires_grad_();
  {
    const NoGrad off;
    EXPECT_FALSE(MyExp::apply(x).requires_grad());
  }
  x.requires_grad_(false);
  EXPECT_EQ(live_nodes(), nodes + 1);  // x's own
}

TEST(Function, OutputsWithoutGradient) {
  struct Halves : Function<Halves> {
    static std::tuple<Tensor, Tensor> forward(Context& context, const Tensor& x) {
      const Tensor low = x * 0.5, sign = x * 1.0;
      context.mark_non_differentiable(sign);
      return {low, sign};
    }
    static Tensors backward(Context&, const Tensors& dy) {
      EXPECT_EQ(values(dy[1]), (std::vector<double>{0, 0}));
      return {dy[0] * 0.5};
    }
  };
  const Tensor x = tensor<double>({1, 2}).requires_grad_();
  const auto [low, sign] = Halves::apply(x);
  EXPECT_FALSE(sign.requires_grad());
  sum(low * sign).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{0.5, 1}));
}

TEST(Function, GradientsOfUnusedOutputsAreZerosOrUndefined) {
  static bool materialize = true;
  struct Two : Function<Two> {
    static Tensors forward(Context& context, const Tensor& x) {
      context.set_materialize_grads(materialize);
      return {x * 2.0, x * 3.0};
    }
    static Tensors backward(Context&, const Tensors& dy) {
      EXPECT_EQ(dy[0].defined(), materialize);
      return {dy[1] * 3.0};
    }
  };
  const Tensor x = tensor<double>({1}).requires_grad_();
  for (const bool on : {true, false}) {
    materialize = on;
    Two::apply(x)[1].backward();
  }
  EXPECT_EQ(x.grad().item(), 6);
}

TEST(Function, ReturnsAnInputAsATensorOfItsOwn) {
  struct Same : Function<Same> {
    static Tensors forward(Context& context, const Tensor& x) {
      context.save_for_backward({x});
      return {x, x};
    }
    static Tensors backward(Context& context, const Tensors& dy) {
      return {(dy[0] + dy[1] * 10.0) * context.saved(0)};
    }
  };
  const Tensor x = tensor<double>({3}).requires_grad_();
  const Tensors y = Same::apply(x);
  (y[0] + y[1] * 2.0).backward();
  EXPECT_EQ(x.grad().item(), 63);
  EXPECT_TRUE(x.is_leaf());
  const Tensor plain = tensor<double>({3});
  EXPECT_EQ(Same::apply(plain)[0].item(), 3);
}

TEST(Function, SavedTensorsAreCheckedAndFreed) {
  const Tensor x = random({2}, 1).requires_grad_();
  const Tensor y = MyExp::apply(x);
  {
    const NoGrad off;
    mul_(y, 2.0);
  }
  const std::string changed = message_of<AutogradError>([&] { sum(y).backward(); });
  EXPECT_NE(changed.find("MyExp"), std::string::npos) << changed;
  EXPECT_NE(changed.find("mul_"), std::string::npos) << changed;
  const Tensor z = sum(MyExp::apply(x));
  z.backward({.retain_graph = true});
  z.backward();
  const std::string again = message_of<AutogradError>([&] { z.backward(); });
  EXPECT_NE(again.find("MyExp"), std::string::npos) << again;
}

struct OnTheWay : Function<OnTheWay> {
  static Tensor forward(Context& context, const Tensor& x) {
    const Tensor squared = x * x;
    context.save_for_backward({x, squared, argmax(x, 0)});
    return exp(squared);
  }
  static Tensors backward(Context& context, const Tensors& dy) {
    EXPECT_EQ(context.saved(2).item(), 1);
    return {dy[0] * exp(context.saved(1)) * context.saved(0) * 2.0};
  }
};

// Its history is not known: an error where it would be needed, not a wrong second derivative.
TEST(Function, ResultsOnTheWayServeTheFirstDerivativeOnly) {
  const Tensor x = tensor<double>({0.1, 0.3}).requires_grad_();
  const Tensor y = sum(OnTheWay::apply(x));
  EXPECT_NEAR(grad({y}, {x}, {.retain_graph = true})[0].to_vector<double>()[1],
              0.6 * std::exp(0.09), 1e-14);
  const std::string message =
      message_of<AutogradError>([&] { grad({y}, {x}, {.create_graph = true}); });
  EXPECT_NE(message.find("OnTheWay: saved tensor 1"), std::string::npos) << message;
}

struct Once : Function<Once> {
  static constexpr bool once_differentiable = true;
  static Tensor forward(Context& context, const Tensor& x, const Tensor& unused) {
    context.save_for_backward({x});
    return x * x + 0.0 * unused;
  }
  static Tensors backward(Context& context, const Tensors& dy) {
    EXPECT_FALSE(grad_enabled());
    return {dy[0] * context.saved(0) * 2.0, {}};
  }
};

TEST(Function, OnceDifferentiableSaysSo) {
  const Tensor x = tensor<double>({3}).requires_grad_();
  const Tensor y = Once::apply(x, tensor<double>({1}));
  const Tensor dx = grad({y}, {x}, {.create_graph = true})[0];
  EXPECT_EQ(dx.item(), 6);
  EXPECT_TRUE(dx.requires_grad());
  const std::string message = message_of<AutogradError>([&] { grad({dx}, {x}); });
  EXPECT_NE(message.find("Once"), std::string::npos) << message;
  EXPECT_NE(message.find("once_differentiable"), std::string::npos) << message;
}

TEST(Function, WrongGradientsAreErrors) {
  static Tensors returned;
  struct Wrong : Function<Wrong> {
    static Tensor forward(Context&, const Tensor& x) { return x * 1.0; }
    static Tensors backward(Context&, const Tensors&) { return returned; }
  };
  const Tensor x = random({2, 3}, 1).requires_grad_();
  const auto message = [&](auto error, Tensors gradients) {
    returned = std::move(gradients);
    return message_of<decltype(error)>([&] { sum(Wrong::apply(x)).backward(); });
  };
  const std::string count = message(AutogradError(""), {});
  EXPECT_NE(count.find("Wrong: backward returned 0 gradients; expected 1"), std::string::npos)
      << count;
  const std::string shape = message(ShapeError(""), {ones({3, 2}, DType::f64)});
  EXPECT_NE(shape.find("(3, 2) for input 0; expected (2, 3)"), std::string::npos) << shape;
  EXPECT_NE(message(ShapeError(""), {ones({3}, DType::f64)}).find("(3,)"), std::string::npos);
}

TEST(Function, ForwardMayNotWriteIntoWhatHasAGradient) {
  struct Writes : Function<Writes> {
    static Tensor forward(Context&, const Tensor& x) {
      mul_(x, 2.0);
      return x;
    }
    static Tensors backward(Context&, const Tensors& dy) { return dy; }
  };
  const Tensor x = random({2}, 1).requires_grad_();
  const Tensor h = x * 1.0;
  const std::string message = message_of<AutogradError>([&] { (void)Writes::apply(h); });
  EXPECT_NE(message.find("Writes: forward wrote into input 0"), std::string::npos) << message;
}

TEST(Function, NothingIsLeftAlive) {
  const int64_t before = live_nodes();
  {
    const Tensor x = random({4}, 1).requires_grad_(), y = random({4}, 2).requires_grad_();
    const auto [product, rest] = Axpy::apply(x, 2.0, Tensors{y, Tensor()}, "axpy");
    sum(grad({sum(product + rest[0])}, {x}, {.create_graph = true})[0]).backward();
    x.zero_grad();
    (void)MyExp::apply(x);
  }
  EXPECT_EQ(live_nodes(), before);
}

}  // namespace
}  // namespace adjoint
