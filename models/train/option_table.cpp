#include "models/train/option_table.h"

#include <adjoint/core/device_info.h>
#include <adjoint/core/error.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <new>

#include "models/support/nearest.h"

namespace adjoint::train {

using models::nearest;

namespace {

constexpr const char* kCommandLine = "command line";

std::string environment_name(std::string_view option) {
  std::string name = "ADJOINT_";
  for (const char c : option) {
    name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return name;
}

// Text as it is, or as JSON where that would not show on a line.
std::string text_of(const Json& value) {
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    const auto shows = [](char c) { return static_cast<unsigned char>(c) >= 0x20; };
    return std::all_of(text.begin(), text.end(), shows) ? text : value.dump();
  }
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Json& element : value.elements()) {
    text += (text.empty() ? "" : " ") + text_of(element);
  }
  return text;
}

std::string joined(std::span<const std::string> words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

// `limits`: those of the type too.
template <class T>
std::string describe(const Range<T>& range, const char* kind, bool limits) {
  const bool has_least = limits || range.least != std::numeric_limits<T>::lowest();
  const bool has_most = limits || range.most != std::numeric_limits<T>::max();
  const std::string least = Json(range.least).dump(), most = Json(range.most).dump();
  std::string text = kind;
  if (has_least && has_most) {
    text += range.above_least ? " above " + least + " and at most " + most
                              : " between " + least + " and " + most;
  } else if (has_least) {
    text += (range.above_least ? " above " : " of at least ") + least;
  } else if (has_most) {
    text += " of at most " + most;
  }
  return text;
}

template <class T>
void check_range(std::optional<T> number, const std::string& name, const std::string& text,
                 const Range<T>& range, const char* kind) {
  const bool fits = number && *number >= range.least && *number <= range.most &&
                    !(range.above_least && *number == range.least);
  if (fits) return;
  // A number that does not fit into 64 bits is told what does.
  const bool all_digits = !text.empty() && text != "-" &&
                          text.find_first_not_of("0123456789", text[0] == '-') == std::string::npos;
  const bool limits = std::is_integral_v<T> && !number && all_digits;
  fail<UsageError>("--", name, ": '", text, "'; expected ", describe(range, kind, limits));
}

// The text broken into lines of at most `width` characters, each after the first indented.
std::string wrapped(const std::string& text, size_t indent, size_t width) {
  std::string result;
  size_t column = indent;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (column > indent && column + 1 + (end - at) > width) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      result += ' ';
      ++column;
    }
    result += text.substr(at, end - at);
    column += end - at;
    at = end + 1;
  }
  return result;
}

}  // namespace

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_real(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || !std::isfinite(value)) return std::nullopt;
  return value;
}

OptionTable::OptionTable(std::string program, std::string summary)
    : program_(std::move(program)), summary_(std::move(summary)) {}

void OptionTable::section(std::string title) { section_ = std::move(title); }

OptionTable::Option& OptionTable::declare(std::string name, std::string metavar, std::string help) {
  check(find(name) == nullptr, "OptionTable: --", name, " is declared twice");
  Option& option = options_.emplace_back();
  option.name = std::move(name);
  option.metavar = std::move(metavar);
  option.help = std::move(help);
  option.section = section_;
  return option;
}

void OptionTable::add(std::string name, int64_t* value, std::string metavar, std::string help,
                      Range<int64_t> range) {
  Option& option = declare(name, std::move(metavar), std::move(help));
  option.default_text = std::to_string(*value);
  option.get = [value] { return Json(*value); };
  option.set = [value, range, name](const std::string& text) {
    const std::optional<int64_t> number = parse_integer(text);
    check_range(number, name, text, range, "a whole number");
    *value = *number;
  };
}

void OptionTable::add(std::string name, double* value, std::string metavar, std::string help,
                      Range<double> range) {
  Option& option = declare(name, std::move(metavar), std::move(help));
  option.default_text = Json(*value).dump();
  option.get = [value] { return Json(*value); };
  option.set = [value, range, name](const std::string& text) {
    const std::optional<double> number = parse_real(text);
    check_range(number, name, text, range, "a number");
    *value = *number;
  };
}

void OptionTable::add(std::string name, std::string* value, std::string metavar, std::string help) {
  Option& option = declare(std::move(name), std::move(metavar), std::move(help));
  option.default_text = text_of(*value);
  option.get = [value] { return Json(*value); };
  option.set = [value](const std::string& text) { *value = text; };
}

void OptionTable::add(std::string name, std::string* value, std::vector<std::string> choices,
                      std::string help) {
  Option& option = declare(name, joined(choices, "|"), std::move(help));
  option.default_text = *value;
  option.choices = choices;
  option.get = [value] { return Json(*value); };
  option.set = [value, choices, name](const std::string& text) {
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      const auto near = nearest(text, choices);
      fail<UsageError>("--", name, ": '", text, "'; expected one of ", joined(choices, ", "),
                       near ? "; did you mean " + *near + "?" : "");
    }
    *value = text;
  };
}

void OptionTable::add(std::string name, std::vector<std::string>* values, std::string metavar,
                      std::string help) {
  Option& option = declare(std::move(name), std::move(metavar) + "...", std::move(help));
  option.is_list = true;
  option.get = [values] { return Json(*values); };
  option.set = [values](const std::string& text) { values->push_back(text); };
  option.clear = [values] { values->clear(); };
}

void OptionTable::add(std::string name, bool* value, std::string help) {
  Option& option = declare(name, "", std::move(help));
  option.is_flag = true;
  option.default_text = *value ? "yes; --no-" + name + " for no" : "";
  option.get = [value] { return Json(*value); };
  option.set = [value, name](const std::string& text) {
    const bool yes = text == "1" || text == "true" || text == "yes";
    check<UsageError>(yes || text == "0" || text == "false" || text == "no", "--", name, ": '",
                      text, "'; expected true or false");
    *value = yes;
  };
}

void OptionTable::positional(std::string* value, std::string metavar, std::string help) {
  positionals_.push_back({value, nullptr, std::move(metavar), std::move(help)});
}

void OptionTable::positional(std::vector<std::string>* values, std::string metavar,
                             std::string help) {
  positionals_.push_back({nullptr, values, std::move(metavar), std::move(help)});
}

void OptionTable::preset(std::string name, Settings settings) {
  if (presets_.empty()) {
    section("Presets");
    declare("preset", "NAME", "");
    std::string* chosen = preset_.get();
    options_.back().get = [chosen] { return Json(*chosen); };
    options_.back().set = [chosen](const std::string& text) { *chosen = text; };
  }
  presets_.emplace_back(std::move(name), std::move(settings));
  Option* option = find("preset");
  option->choices.push_back(presets_.back().first);
  option->metavar = joined(option->choices, "|");
}

OptionTable::Option* OptionTable::find(std::string_view name) {
  const auto same = [&](const Option& option) { return option.name == name; };
  const auto found = std::find_if(options_.begin(), options_.end(), same);
  return found == options_.end() ? nullptr : &*found;
}

const OptionTable::Option* OptionTable::find(std::string_view name) const {
  return const_cast<OptionTable*>(this)->find(name);
}

void OptionTable::unknown(const std::string& argument) const {
  const std::string name = argument.substr(0, argument.find('='));
  std::vector<std::string> names = {"--help", "--version", "--print-config"};
  for (const Option& option : options_) {
    names.push_back("--" + option.name);
    if (option.is_flag) names.push_back("--no-" + option.name);
  }
  const auto near = nearest(name, names);
  if (name.size() < argument.size()) {
    const auto is_answer = [&](const char* answer) { return name == answer; };
    constexpr std::array kAnswers = {"--help", "--version", "--print-config"};
    check<UsageError>(std::none_of(kAnswers.begin(), kAnswers.end(), is_answer), name,
                      ": takes no value");
  }
  fail<UsageError>("unknown option ", name,
                   near ? "; did you mean " + *near + "?" : "; --help lists what there is");
}

// The arguments as {option, value}, lists a pair for each value.
OptionTable::Settings OptionTable::scan(std::span<const std::string> arguments, Outcome& outcome) {
  Settings settings;
  size_t positionals = 0;
  bool options_ended = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (options_ended || !argument.starts_with("-") || argument == "-") {
      check<UsageError>(positionals < positionals_.size(), "unexpected argument '", argument,
                        "'; --help lists what there is");
      const Positional& next = positionals_[positionals];
      if (next.values != nullptr) {
        next.values->push_back(argument);
      } else {
        *next.value = argument;
        ++positionals;
      }
      continue;
    }
    if (argument == "--") {
      options_ended = true;
    } else if (argument == "-h" || argument == "--help") {
      outcome = Outcome::help;
      return {};
    } else if (argument == "--version") {
      outcome = Outcome::version;
      return {};
    } else if (argument == "--print-config") {
      outcome = Outcome::print_config;
    } else {
      if (!argument.starts_with("--")) unknown(argument);
      const size_t equals = argument.find('=');
      std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
      const Option* option = find(name);
      const bool negated = option == nullptr && name.starts_with("no-");
      if (negated) option = find(name.substr(3));
      if (option == nullptr || (negated && !option->is_flag)) unknown(argument);
      if (equals != std::string::npos) {
        check<UsageError>(!negated, "--", name, ": takes no value");
        settings.emplace_back(option->name, argument.substr(equals + 1));
      } else if (option->is_flag) {
        settings.emplace_back(option->name, negated ? "false" : "true");
      } else {
        const auto follows = [&](const char* dashes) {
          return i + 1 < arguments.size() && !arguments[i + 1].starts_with(dashes);
        };
        check<UsageError>(follows("--"), "--", name, ": a value is missing; expected --", name, " ",
                          option->metavar);
        settings.emplace_back(option->name, arguments[++i]);  // may begin with one dash: -0.5
        while (option->is_list && follows("-")) {
          settings.emplace_back(option->name, arguments[++i]);
        }
      }
    }
  }
  return settings;
}

void OptionTable::apply(const std::string& name, const std::string& value,
                        const std::string& origin) {
  Option* option = find(name);
  check(option != nullptr, "OptionTable: a preset names --", name, ", which is not declared");
  // A list that was given replaces what came from less important places, and then grows.
  if (option->is_list && option->origin != origin) option->clear();
  option->set(value);
  option->origin = origin;
}

void OptionTable::apply_environment() {
  for (const Option& option : options_) {
    const std::string variable = environment_name(option.name);
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr || *value == '\0' || option.name == "preset") continue;
    try {
      apply(option.name, value, variable);
    } catch (const UsageError& error) {
      fail<UsageError>(variable, " in the environment: ", error.what());
    }
  }
}

// The preset asked for and where; an empty origin where there is none.
std::string OptionTable::choose_preset(const Settings& settings, std::string& origin) const {
  if (presets_.empty()) return "";
  std::string preset;
  const char* value = std::getenv(environment_name("preset").c_str());
  if (value != nullptr && *value != '\0') {
    preset = value;
    origin = environment_name("preset");
  }
  for (const auto& [name, text] : settings) {
    if (name != "preset") continue;
    preset = text;
    origin = kCommandLine;
  }
  return preset;
}

void OptionTable::apply_preset(const std::string& preset, const std::string& origin) {
  const auto chosen = std::find_if(presets_.begin(), presets_.end(),
                                   [&](const auto& entry) { return entry.first == preset; });
  if (chosen == presets_.end()) {
    const std::vector<std::string>& choices = find("preset")->choices;
    const auto near = nearest(preset, choices);
    fail<UsageError>(origin == kCommandLine ? "" : origin + " in the environment: ", "--preset: '",
                     preset, "'; expected one of ", joined(choices, ", "),
                     near ? "; did you mean " + *near + "?" : "");
  }
  for (const auto& [name, value] : chosen->second) apply(name, value, "preset " + preset);
  apply("preset", preset, origin);
}

OptionTable::Outcome OptionTable::parse(std::span<const std::string> arguments) {
  Outcome outcome = Outcome::run;
  const Settings settings = scan(arguments, outcome);
  if (outcome == Outcome::help || outcome == Outcome::version) return outcome;

  std::string preset_origin;
  const std::string preset = choose_preset(settings, preset_origin);
  if (!preset_origin.empty()) apply_preset(preset, preset_origin);
  apply_environment();
  for (const auto& [name, value] : settings) apply(name, value, kCommandLine);
  return outcome;
}

bool OptionTable::answers(std::span<const std::string> arguments,
                          const std::function<void()>& settle) {
  const Outcome outcome = parse(arguments);
  if (outcome == Outcome::help) {
    std::cout << help();
    return true;
  }
  if (outcome == Outcome::version) {
    std::cout << version_line(program_) << "\n";
    return true;
  }
  if (settle) settle();
  if (outcome == Outcome::run) return false;
  const Option* json = find("json");
  const bool as_json = json != nullptr && json->is_flag && json->get().get<bool>();
  std::cout << (as_json ? config_json().dump(2) + "\n" : config());
  return true;
}

bool OptionTable::given(std::string_view name) const {
  const Option* option = find(name);
  return option != nullptr &&
         (option->origin == kCommandLine || option->origin == environment_name(option->name));
}

void OptionTable::default_is(std::string_view name, std::string text) {
  Option* option = find(name);
  check(option != nullptr, "OptionTable: --", name, " is not declared");
  option->default_text = std::move(text);
}

void OptionTable::derived(std::string_view name, std::string origin) {
  Option* option = find(name);
  check(option != nullptr, "OptionTable: --", name, " is not declared");
  option->origin = std::move(origin);
}

const std::string& OptionTable::origin(std::string_view name) const {
  const Option* option = find(name);
  check(option != nullptr, "OptionTable: --", name, " is not declared");
  return option->origin;
}

std::vector<std::string> OptionTable::environment_arguments() const {
  std::vector<std::string> arguments;
  for (const Option& option : options_) {
    if (option.origin != environment_name(option.name)) continue;
    arguments.push_back("--" + option.name + "=" + std::getenv(option.origin.c_str()));
  }
  return arguments;
}

std::string OptionTable::help() const {
  constexpr size_t kIndent = 28, kWidth = 96;
  std::string usage = "usage: " + program_ + " [OPTION...]";
  for (const Positional& positional : positionals_) usage += " " + positional.metavar;
  std::string text = wrapped(summary_, 0, kWidth) + "\n\n" + usage + "\n";
  const auto line = [&](const std::string& head, const std::string& body) {
    text += "  " + head;
    if (!body.empty()) {
      text += head.size() + 4 > kIndent ? "\n" + std::string(kIndent, ' ')
                                        : std::string(kIndent - 2 - head.size(), ' ');
      text += wrapped(body, kIndent, kWidth);
    }
    text += "\n";
  };
  for (const Positional& positional : positionals_) line(positional.metavar, positional.help);
  std::string section;
  for (const Option& option : options_) {
    if (option.section != section) {
      section = option.section;
      text += "\n" + section + "\n";
    }
    std::string body = option.help;
    if (!option.default_text.empty()) body += " (default " + option.default_text + ")";
    line("--" + option.name + (option.metavar.empty() ? "" : " " + option.metavar), body);
    if (option.name == "preset") {
      for (const auto& [name, settings] : presets_) {
        std::string values;
        for (const auto& [key, value] : settings) {
          values += (values.empty() ? "" : ", ") + key + " " + value;
        }
        line("  " + name, values);
      }
    }
  }
  text += "\nAlways\n";
  line("-h, --help", "print this");
  line("--version", "print version, instruction set and kind of build");
  const Option* json = find("json");
  line("--print-config", std::string("print every value and where it comes from") +
                             (json != nullptr && json->is_flag ? " (with --json as JSON)" : "") +
                             ", and do nothing");
  if (!epilogue_.empty()) text += "\n" + epilogue_ + "\n";
  return text;
}

std::string OptionTable::config() const {
  std::string text;
  for (const Option& option : options_) {
    text += option.name + " = " + text_of(option.get()) + "  # " + option.origin + "\n";
  }
  return text;
}

Json OptionTable::config_json() const {
  Json all = Json::object();
  for (const Option& option : options_) {
    all[option.name] = Json::object({{"value", option.get()}, {"origin", option.origin}});
  }
  return all;
}

std::string version_line(const std::string& program) {
#ifdef NDEBUG
  const char* build = "release";
#else
  const char* build = "debug";
#endif
  return program + " " + version() + " (" + instruction_set() + ", " + build + ")";
}

int run_program(const char* program, const std::function<int()>& body) {
  // One line, whatever the message holds: it may quote a file.
  const auto report = [&](std::string what, int status) {
    const auto is_control = [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    };
    std::replace_if(what.begin(), what.end(), is_control, ' ');
    std::cout.flush();
    std::cerr << program << ": " << what << "\n";
    return status;
  };
  try {
    const int status = body();
    std::cout.flush();
    if (std::cout.good()) return status;
    return report("stdout: not everything could be written; is the disk full, or its reader gone?",
                  status == 0 ? 1 : status);
  } catch (const UsageError& error) {
    return report(error.what(), 2);
  } catch (const std::bad_alloc&) {
    return report("out of memory", 1);
  } catch (const std::exception& error) {
    return report(error.what(), 1);
  }
}

}  // namespace adjoint::train
