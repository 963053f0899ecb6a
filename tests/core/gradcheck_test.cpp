// gradcheck and gradgradcheck: what they let pass, what they catch, and what they say.
#include <adjoint/core/activations.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/gradcheck.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <set>
#include <vector>

#include "core/autograd/op.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using Tensors = std::vector<Tensor>;
using numeric::message_of;
using numeric::random;

// x^3 with a factor in each derivative that ought to be 1: in the one that is not recorded, and in
// the one that is.
Tensor cube(const Tensor& x, double plain_factor, double recorded_factor) {
  const Op op("cube", {x});
  Tensor y;
  {
    const NoGrad guard;
    y = x * x * x;
  }
  return op.differentiable(y, [=, x = op.save(x)](const Backward& b) -> Grads {
    const Tensor x0 = *x;
    return {b.dy(0) * x0 * x0 * (3 * (grad_enabled() ? recorded_factor : plain_factor))};
  });
}

TEST(Gradcheck, PassesWhatIsRight) {
  const Tensor x = random({2, 3}, 1), y = random({3}, 2);
  const auto f = [](const Tensors& in) { return exp(in[0]) * sin(in[1]); };
  const GradcheckReport first = gradcheck(f, {x, y}, kTightGradcheck);
  const GradcheckReport second = gradgradcheck(f, {x, y}, kTightGradcheck);
  EXPECT_TRUE(first.passed) << first.message;
  EXPECT_TRUE(second.passed) << second.message;
  EXPECT_TRUE(first.message.empty());
  // Truncation eps^2 / 6 and rounding 2^-52 / eps of numbers near 1.
  EXPECT_LT(first.largest_error, 1e-8);
  EXPECT_GT(first.largest_error, 0);
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(x.requires_grad());
  EXPECT_FALSE(x.grad().defined());
}

TEST(Gradcheck, CatchesAWrongDerivative) {
  const auto f = [](const Tensors& in) { return cube(in[0], 1.01, 1); };
  // The worst is where the derivative is largest: 3 x^2 (1.01 - 1), against atol + rtol of it.
  const Tensor x = tensor<double>({0.5, -0.25, 0.1, -2.0}).reshape({2, 2});
  const GradcheckReport report = gradcheck(f, {x});
  EXPECT_FALSE(report.passed);
  EXPECT_NEAR(report.largest_error, 0.12 / (12.12 + 0.01), 1e-6);
  ASSERT_TRUE(report.worst.has_value());
  EXPECT_EQ(report.worst->output_index, (Shape{1, 1}));
  EXPECT_EQ(report.worst->input_index, (Shape{1, 1}));
  EXPECT_NEAR(report.worst->analytic, 12.12, 1e-9);
  EXPECT_NEAR(report.worst->numeric, 12, 1e-6);
  EXPECT_FALSE(report.worst->create_graph);
  EXPECT_NE(report.message.find("output 0 at (1, 1) of (2, 2) by input 0 at (1, 1) of (2, 2)"),
            std::string::npos)
      << report.message;
  // A thousandth is within PyTorch's tolerances, and not within the tight ones.
  const auto nearly = [](const Tensors& in) { return cube(in[0], 1.0005, 1); };
  EXPECT_TRUE(gradcheck(nearly, {x}).passed);
  EXPECT_FALSE(gradcheck(nearly, {x}, kTightGradcheck).passed);
  EXPECT_NE(report.message.find("central difference"), std::string::npos);
}

TEST(Gradcheck, CatchesAWrongRecordedDerivative) {
  const auto f = [](const Tensors& in) { return cube(in[0], 1, 1.01); };
  const GradcheckReport report = gradcheck(f, {random({2, 2}, 1)});
  EXPECT_FALSE(report.passed);
  EXPECT_NE(report.message.find("create_graph"), std::string::npos) << report.message;
  EXPECT_FALSE(gradgradcheck(f, {random({2, 2}, 1)}).passed);
}

// A gradient whose value is right and whose own history is cut.
TEST(Gradcheck, CatchesASecondDerivativeThatIsMissing) {
  const auto f = [](const Tensors& in) -> Tensor {
    const Op op("cut", {in[0]});
    Tensor y;
    {
      const NoGrad guard;
      y = in[0] * in[0];
    }
    return op.differentiable(y, [x = op.save(in[0])](const Backward& b) -> Grads {
      return {b.dy(0) * (*x).detach() * 2.0};
    });
  };
  const Tensor x = random({3}, 1);
  EXPECT_TRUE(gradcheck(f, {x}).passed);
  const GradcheckReport report = gradgradcheck(f, {x});
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.message.find("gradgradcheck: "), 0u) << report.message;
}

TEST(Gradcheck, CatchesAnInputThatIsForgotten) {
  const auto f = [](const Tensors& in) { return in[0] * in[1].detach(); };
  const GradcheckReport report = gradcheck(f, {random({2}, 1), random({2}, 2)});
  EXPECT_FALSE(report.passed);
  EXPECT_NE(report.message.find("by input 1"), std::string::npos) << report.message;
}

TEST(Gradcheck, CatchesWhatIsNotDeterministic) {
  Generator generator(3);
  const auto f = [&](const Tensors& in) { return dropout(in[0], 0.5, true, generator); };
  const GradcheckReport report = gradcheck(f, {random({16}, 1)});
  EXPECT_FALSE(report.passed);
  EXPECT_NE(report.message.find("generator"), std::string::npos) << report.message;
}

TEST(Gradcheck, CatchesInfinity) {
  const auto f = [](const Tensors& in) { return sqrt(in[0]); };
  const GradcheckReport report = gradcheck(f, {zeros({2}, DType::f64)});
  EXPECT_FALSE(report.passed);
  EXPECT_TRUE(std::isinf(report.largest_error));
}

TEST(Gradcheck, TakesSeveralOutputsIndicesAndInputsWithoutInfluence) {
  const TensorFunction f = [](const Tensors& in) -> Tensors {
    const Tensor rows = embedding(in[1], in[0]);
    return {rows * 2.0, argmax(rows, 1), sum(in[0])};
  };
  const Tensors inputs = {random({3, 2}, 1), tensor<int64_t>({0, 2, 0}), random({2}, 2)};
  const GradcheckReport first = gradcheck(f, inputs), second = gradgradcheck(f, inputs);
  EXPECT_TRUE(first.passed) << first.message;
  EXPECT_TRUE(second.passed) << second.message;
}

TEST(Gradcheck, FastModeAgrees) {
  const auto right = [](const Tensors& in) { return softmax(matmul(in[0], in[1]), -1); };
  const Tensors inputs = {random({20, 30}, 1), random({30, 10}, 2)};
  const GradcheckReport report = gradcheck(right, inputs, {.fast_mode = true});
  EXPECT_TRUE(report.passed) << report.message;
  EXPECT_TRUE(gradgradcheck(right, inputs, {.fast_mode = true}).passed);
  const auto wrong = [](const Tensors& in) { return cube(in[0], 1.01, 1); };
  EXPECT_FALSE(gradcheck(wrong, {random({20, 30}, 1)}, {.fast_mode = true}).passed);
}

TEST(Gradcheck, StridedInputsKeepTheirLayout) {
  // Every call, those of the differences too.
  std::set<std::vector<int64_t>> seen;
  const auto f = [&](const Tensors& in) {
    std::vector<int64_t> layout(in[0].strides().begin(), in[0].strides().end());
    layout.insert(layout.end(), in[1].strides().begin(), in[1].strides().end());
    seen.insert(layout);
    return in[0] * square(in[1]);
  };
  const Tensor spaced = slice(random({2, 6}, 1), 1, 1, 6, 2);
  const Tensors inputs = {transpose(random({3, 2}, 1), 0, 1), spaced};
  const std::vector<double> before = spaced.to_vector<double>();
  const std::set<std::vector<int64_t>> expected = {{1, 2, 6, 2}};
  for (const bool fast : {false, true}) {
    seen.clear();
    const GradcheckReport report = gradcheck(f, inputs, {.fast_mode = fast});
    EXPECT_TRUE(report.passed) << report.message;
    EXPECT_EQ(seen, expected) << fast;
  }
  EXPECT_EQ(spaced.to_vector<double>(), before);
}

TEST(Gradcheck, ElementsThatOverlapAreMovedOneByOne) {
  // Each index of an expanded input is an element of its own: moving one must not move its copies.
  const auto f = [](const Tensors& in) { return square(in[0]); };
  const Tensor row = random({3}, 1);
  const GradcheckReport report = gradcheck(f, {expand(row, {2, 3})});
  EXPECT_TRUE(report.passed) << report.message;
}

TEST(Gradcheck, AFunctionThatKeepsItsInputsIsNoneTheWiser) {
  // The outputs of one call are not those of another, even where they are the input itself.
  const auto f = [](const Tensors& in) -> Tensors { return {in[0], in[0] * 3.0}; };
  const GradcheckReport report = gradcheck(f, {random({2, 3}, 1)});
  EXPECT_TRUE(report.passed) << report.message;
}

// A hook that is 1 % off is found, in a function that registers it.
TEST(Gradcheck, SeesHooks) {
  const auto f = [](double factor) {
    return [factor](const Tensors& in) {
      const Tensor y = in[0] * in[0];
      y.register_hook([factor](const Tensor& g) { return g * factor; });
      return y * 1.0;
    };
  };
  EXPECT_TRUE(gradcheck(f(1.0), {random({3}, 1)}).passed);
  EXPECT_FALSE(gradcheck(f(1.01), {random({3}, 1)}).passed);
}

TEST(Gradcheck, WorksUnderNoGrad) {
  const NoGrad guard;
  const auto f = [](const Tensors& in) { return tanh(in[0]); };
  EXPECT_TRUE(gradcheck(f, {random({3}, 1)}).passed);
  EXPECT_TRUE(gradgradcheck(f, {random({3}, 1)}).passed);
}

TEST(Gradcheck, SaysWhatItCannotCheck) {
  const auto f = [](const Tensors& in) { return exp(in[0]); };
  EXPECT_NE(message_of<DTypeError>([&] { (void)gradcheck(f, {ones({2})}); }).find("f32"),
            std::string::npos);
  EXPECT_NE(message_of<AutogradError>([&] { (void)gradcheck(f, {arange(2)}); }).find("f64"),
            std::string::npos);
  const auto constant = [](const Tensors& in) { return in[0].detach(); };
  EXPECT_NE(message_of<AutogradError>([&] {
              (void)gradcheck(constant, {random({2}, 1)});
            }).find("history"),
            std::string::npos);
  message_of<ConfigError>([&] { (void)gradcheck(f, {random({2}, 1)}, {.eps = 0}); });
  int call = 0;
  const auto moody = [&](const Tensors& in) {
    return ++call % 2 == 1 ? in[0] * 1.0 : slice(in[0], 0, 0, 1) * 1.0;
  };
  EXPECT_FALSE(gradcheck(TensorFunction([&](const Tensors& in) -> Tensors {
                           return {in[0] * 1.0, scalar(++call, DType::f64)};
                         }),
                         {random({2}, 1)})
                   .passed);
  call = 0;
  message_of<Error>([&] { (void)gradcheck(moody, {random({2}, 1)}); });
}

}  // namespace
}  // namespace adjoint
