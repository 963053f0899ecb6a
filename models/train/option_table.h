// The options of a program, as a table that parsing, help, presets, the environment and the record
// of a run are all made from.
//
//   TrainSettings s;                         // its initial values are the defaults
//   OptionTable table("train_gpt", "Trains a GPT on text.");
//   table.add("steps", &s.steps, "N", "optimizer steps", {.least = 1});
//   table.preset("tiny", {{"n-layer", "2"}});
//   if (table.answers(arguments)) return 0;  // --help, --version, --print-config
//
// Values come from, in rising order of precedence: defaults, the preset, ADJOINT_NAME in the
// environment, the command line. `--name value` and `--name=value`; `--name` and `--no-name` for a
// bool; the last of several counts, except for lists, which grow (`--name a b`, up to what begins
// with a dash; the environment gives one element); `--` ends the options.
#pragma once

#include <adjoint/core/error.h>
#include <adjoint/core/json.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace adjoint::train {

// A command line that makes no sense: programs end with status 2.
class UsageError : public ConfigError {
 public:
  using ConfigError::ConfigError;
};

template <class T>
struct Range {
  T least = std::numeric_limits<T>::lowest();
  T most = std::numeric_limits<T>::max();
  bool above_least = false;  // least itself is not allowed
};

// A whole text as a number, whatever the locale; nothing if it is none, or does not fit.
std::optional<int64_t> parse_integer(std::string_view text);
std::optional<double> parse_real(std::string_view text);

class OptionTable {
 public:
  using Settings = std::vector<std::pair<std::string, std::string>>;
  enum class Outcome { run, help, version, print_config };

  // `program` is what --version and --help call it.
  OptionTable(std::string program, std::string summary);

  // Options declared from here on are listed under this title.
  void section(std::string title);

  // The value pointed to is the default, and receives what was given. It must outlive the table.
  void add(std::string name, int64_t* value, std::string metavar, std::string help,
           Range<int64_t> range = {});
  void add(std::string name, double* value, std::string metavar, std::string help,
           Range<double> range = {});
  void add(std::string name, std::string* value, std::string metavar, std::string help);
  void add(std::string name, std::string* value, std::vector<std::string> choices,
           std::string help);
  void add(std::string name, std::vector<std::string>* values, std::string metavar,
           std::string help);
  void add(std::string name, bool* value, std::string help);
  // What comes without a name, in this order, such as "DIR".
  void positional(std::string* value, std::string metavar, std::string help);
  // All that is left of what comes without a name, such as "GROUP...". The last one declared.
  void positional(std::vector<std::string>* values, std::string metavar, std::string help);
  // Values that --preset NAME gives to options.
  void preset(std::string name, Settings settings);
  // What --help says of a default that follows from others.
  void default_is(std::string_view name, std::string text);
  // Lines printed after the options by --help.
  void epilogue(std::string text) { epilogue_ = std::move(text); }

  // Reads the arguments without the program's name. Throws UsageError naming the option, the value
  // and what was expected, and the nearest known name. With --help or --version nothing else is
  // looked at.
  Outcome parse(std::span<const std::string> arguments);
  // parse(), then settle(), which may derive values from others; then answers --help, --version and
  // --print-config (as JSON where there is a --json and it was given) on stdout. True where it did:
  // nothing else is to be done.
  bool answers(std::span<const std::string> arguments, const std::function<void()>& settle = {});

  // Whether the option was given on the command line or in the environment.
  bool given(std::string_view name) const;
  // The option has a value that follows from others, in words such as "a tenth of lr".
  void derived(std::string_view name, std::string origin);
  // Where the value comes from: "default", "preset char", "ADJOINT_LR", "command line".
  const std::string& origin(std::string_view name) const;
  // What the environment gave, as arguments for a command line: `--lr=0.1`.
  std::vector<std::string> environment_arguments() const;

  std::string help() const;
  // A line an option: `batch-size = 12  # preset char`.
  std::string config() const;
  // {"batch-size": {"value": 12, "origin": "preset char"}, ...}
  Json config_json() const;

 private:
  struct Option {
    std::string name, metavar, help, section;
    bool is_list = false, is_flag = false;
    std::vector<std::string> choices;
    std::function<void(const std::string&)> set;  // throws UsageError
    std::function<void()> clear;                  // of a list
    std::function<Json()> get;
    std::string default_text, origin = "default";
  };

  Option& declare(std::string name, std::string metavar, std::string help);
  Option* find(std::string_view name);
  const Option* find(std::string_view name) const;
  [[noreturn]] void unknown(const std::string& argument) const;
  Settings scan(std::span<const std::string> arguments, Outcome& outcome);
  void apply(const std::string& name, const std::string& value, const std::string& origin);
  std::string choose_preset(const Settings& settings, std::string& origin) const;
  void apply_preset(const std::string& preset, const std::string& origin);
  void apply_environment();

  std::string program_, summary_, epilogue_, section_ = "Options";
  std::vector<Option> options_;
  std::vector<std::pair<std::string, Settings>> presets_;
  struct Positional {
    std::string* value;                // or, where that is null,
    std::vector<std::string>* values;  // a list
    std::string metavar, help;
  };
  std::vector<Positional> positionals_;
  // Pointed to by options, so it must stay where it is when the table moves.
  std::unique_ptr<std::string> preset_ = std::make_unique<std::string>();
};

// `name 0.1.0 (avx512, release)`, as --version prints it.
std::string version_line(const std::string& program);

// Runs a program's body: exceptions become one line on stderr, `program: what`, and the exit
// status, 2 for UsageError and 1 otherwise; std::bad_alloc too. What was printed on stdout and did
// not get there is an error as well.
int run_program(const char* program, const std::function<int()>& body);

}  // namespace adjoint::train
