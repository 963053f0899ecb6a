// The command `adjoint gradcheck`: what it prints, and its exit status.
#include <adjoint/core/autograd.h>
#include <adjoint/core/json.h>
#include <adjoint/core/op_catalog.h>
#include <adjoint/core/pointwise.h>

#include <optional>
#include <sstream>

#include "tests/tools/programs.h"
#include "tools/commands.h"

namespace adjoint {
namespace {

using GradcheckCommand = Programs;

TEST_F(GradcheckCommand, PassesForEveryOperator) {
  const Finished end = adjoint({"gradcheck"});
  EXPECT_EQ(end.status, 0) << end.out << end.err;
  EXPECT_EQ(end.err, "");
  for (const catalog::Row& row : catalog::rows()) {
    EXPECT_NE(end.out.find("\n" + row.name + " "), std::string::npos) << row.name;
  }
  EXPECT_EQ(end.out.find("FAILED"), std::string::npos);
  EXPECT_NE(end.out.find(" 0 failed"), std::string::npos) << end.out;
}

TEST_F(GradcheckCommand, PrintsOneObject) {
  const Finished end = adjoint({"gradcheck", "--json"});
  EXPECT_EQ(end.status, 0);
  EXPECT_EQ(end.err, "");
  const Json all = Json::parse(end.out);
  EXPECT_EQ(all.members().size(), 1U);
  const std::vector<catalog::Row> rows = catalog::rows();
  const Json& list = all.at("operators");
  ASSERT_EQ(list.size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const Json& one = list.at(i);
    EXPECT_EQ(one.get<std::string>("name"), rows[i].name);
    EXPECT_TRUE(one.get<bool>("passed"));
    EXPECT_EQ(one.members().size(), 4U);
    for (const char* order : {"order1", "order2"}) {
      EXPECT_EQ(one.at(order).is_null(), !rows[i].differentiable) << rows[i].name;
      EXPECT_LT(one.get<std::optional<double>>(order).value_or(0), 1e-6) << rows[i].name;
    }
  }
}

TEST_F(GradcheckCommand, TakesOneOperator) {
  const Finished end = adjoint({"gradcheck", "--op", "softmax"});
  EXPECT_EQ(end.status, 0);
  EXPECT_NE(end.out.find("\nsoftmax "), std::string::npos);
  EXPECT_EQ(end.out.find("log_softmax"), std::string::npos);
  const Finished unknown = adjoint({"gradcheck", "--op", "sofmax"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_EQ(unknown.out, "");
  EXPECT_NE(unknown.err.find("did you mean 'softmax'"), std::string::npos) << unknown.err;
}

TEST_F(GradcheckCommand, TakesAnOrder) {
  for (const std::string order : {"1", "2", "both"}) {
    const Finished end = adjoint({"gradcheck", "--op", "softmax", "--json", "--order", order});
    EXPECT_EQ(end.status, 0) << end.err;
    const Json list = Json::parse(end.out).at("operators");
    const Json& one = list.at(size_t{0});
    EXPECT_EQ(one.at("order1").is_null(), order == "2");
    EXPECT_EQ(one.at("order2").is_null(), order == "1");
  }
  const Finished wrong = adjoint({"gradcheck", "--order", "3"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.err.find("expected one of 1, 2, both"), std::string::npos) << wrong.err;
}

// Errors of f32 are of f32's size: larger than those of f64's differences, and no zeros.
TEST_F(GradcheckCommand, ComparesF32WithF64) {
  const Finished end = adjoint({"gradcheck", "--dtype", "f32", "--json"});
  EXPECT_EQ(end.status, 0) << end.err;
  const Json list = Json::parse(end.out).at("operators");
  const std::vector<catalog::Row> rows = catalog::rows();
  ASSERT_EQ(list.size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const Json& one = list.at(i);
    EXPECT_TRUE(one.get<bool>("passed"));
    EXPECT_TRUE(one.at("order2").is_null());
    EXPECT_EQ(one.at("order1").is_null(), !rows[i].differentiable || rows[i].f64_only);
    if (rows[i].name == "matmul") {
      EXPECT_GT(one.get<double>("order1"), 1e-9);
      EXPECT_LT(one.get<double>("order1"), 1e-5);
    }
  }
  EXPECT_EQ(adjoint({"gradcheck", "--dtype", "f32", "--order", "2"}).status, 2);
  EXPECT_EQ(adjoint({"gradcheck", "--dtype", "i64"}).status, 2);
}

TEST_F(GradcheckCommand, ExplainsItself) {
  const Finished end = adjoint({"gradcheck", "--help"});
  EXPECT_EQ(end.status, 0);
  for (const char* part : {"--op", "--order 1|2|both", "--dtype f64|f32", "--json", "status 1"}) {
    EXPECT_NE(end.out.find(part), std::string::npos) << part << "\n" << end.out;
  }
}

// A gradient in f32 that is not the one in f64.
TEST_F(GradcheckCommand, FailsForAGradientThatF32HasWrong) {
  catalog::Row row;
  row.name = "rounded";
  row.samples = {{.name = "(2)",
                  .inputs = {tensor({0.5, 2.0})},
                  .run = [](const std::vector<Tensor>& in) -> std::vector<Tensor> {
                    return {in[0] * (in[0].dtype() == DType::f32 ? 1.001 : 1.0)};
                  },
                  .reference = {}}};
  std::ostringstream out, err;
  EXPECT_EQ(tools::report_derivatives({row}, {.dtype = DType::f32}, out, err), 1);
  EXPECT_NE(err.str().find("rounded, sample (2): the gradient of input 0 in f32"),
            std::string::npos)
      << err.str();
}

// A derivative that is cut is a failure, in the table, in JSON and in the exit status.
TEST_F(GradcheckCommand, FailsForAWrongDerivative) {
  catalog::Row row;
  row.name = "half";
  row.samples = {{.name = "(2)",
                  .inputs = {tensor({0.5, 2.0})},
                  .run = [](const std::vector<Tensor>& in) -> std::vector<Tensor> {
                    return {in[0] * in[0].detach()};
                  },
                  .reference = {}}};
  for (const bool json : {false, true}) {
    std::ostringstream out, err;
    EXPECT_EQ(tools::report_derivatives({row}, {.json = json}, out, err), 1);
    EXPECT_NE(err.str().find("half, sample (2): gradcheck: "), std::string::npos) << err.str();
    if (json) {
      const Json list = Json::parse(out.str()).at("operators");
      EXPECT_FALSE(list.at(size_t{0}).get<bool>("passed"));
      EXPECT_GT(list.at(size_t{0}).get<double>("order1"), 0.1);
    } else {
      EXPECT_NE(out.str().find("FAILED"), std::string::npos) << out.str();
      EXPECT_NE(out.str().find("\n1 operator, 1 failed"), std::string::npos) << out.str();
    }
  }
}

}  // namespace
}  // namespace adjoint
