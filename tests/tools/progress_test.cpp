// The line of progress in terminals of different widths: fields are whole or not there.
#include <regex>

#include "models/train/progress.h"
#include "tests/tools/programs.h"

namespace adjoint {
namespace {

class ProgressLine : public Programs {
 protected:
  // The last state of the bar of a real training in a terminal of so many columns.
  std::string bar_of(int columns) const {
    const Finished end =
        train({"--out", path(std::to_string(columns)), "--color", "never", "--eval-every", "6"},
              {.environment = {{"TERM", "xterm"}}, .terminal_columns = columns});
    EXPECT_EQ(end.status, 0) << end.err;
    const size_t begin = end.err.rfind("\r\x1b[K") + 4;
    return end.err.substr(begin, end.err.find("\r\n", begin) - begin);
  }
};

TEST_F(ProgressLine, FitsTheTerminal) {
  const std::string number = "[0-9]+\\.[0-9]+", bar = "\\[={5,24}\\] ";
  const std::string begin = "step 12/12  loss " + number, val = "  val " + number,
                    speed = "  [0-9.]+[kM]? tok/s", eta = "  ETA [0-9]+:[0-9]{2}",
                    lr = "  lr " + number + "e-[0-9]{2}", norm = "  norm " + number;
  // More columns show more, the bar always where there are five columns inside it.
  for (const auto& [columns, expected] : std::vector<std::pair<int, std::string>>{
           {40, "step 12/12  loss " + number + eta},
           {60, bar + begin + speed + eta},
           {80, bar + begin + val + speed + eta},
           {200, bar + begin + val + lr + norm + speed + eta}}) {
    const std::string shown = bar_of(columns);
    EXPECT_LT(shown.size(), static_cast<size_t>(columns));
    EXPECT_TRUE(std::regex_match(shown, std::regex(expected))) << columns << ": " << shown;
  }
}

// Numbers as long runs have them.
TEST_F(ProgressLine, LongNumbers) {
  const train::Progress progress({.steps = 100000});
  models::StepReport report = {.step = 100000,
                               .train_loss = 2.12345,
                               .lr = 1e-3,
                               .grad_norm = 0.5,
                               .per_second = 14321,
                               .val_loss = {}};
  const std::string all =
      "step 100000/100000  loss 2.1235  lr 1.00e-03  norm 0.50  14.3k tok/s  ETA 0:00";
  const std::string begin = "step 100000/100000  loss 2.1235";
  EXPECT_EQ(progress.line(report, 0), all);
  EXPECT_EQ(progress.line(report, 10 + static_cast<int>(all.size())), all);
  for (const auto& [columns, expected] : std::vector<std::pair<int, std::string>>{
           {79, begin + "  lr 1.00e-03  14.3k tok/s  ETA 0:00"},
           {54, begin + "  14.3k tok/s  ETA 0:00"},
           {53, begin + "  ETA 0:00"},
           {40, begin},
           {30, "step 100000/100000"},
           {5, ""}}) {
    EXPECT_EQ(progress.line(report, columns), expected) << columns;
  }
  for (const auto& [speed, expected] :
       std::vector<std::pair<double, const char*>>{{7, "  7 tok/s"},
                                                   {999.4, "  999 tok/s"},
                                                   {999.6, "  1.0k tok/s"},
                                                   {2.14e6, "  2.1M tok/s"}}) {
    report.per_second = speed;
    EXPECT_NE(progress.line(report, 0).find(expected), std::string::npos) << expected;
  }
}

}  // namespace
}  // namespace adjoint
