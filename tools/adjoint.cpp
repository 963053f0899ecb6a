// adjoint: the command line for models on disk.
#include <adjoint/core/error.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <string>
#include <vector>

#include "models/support/nearest.h"
#include "models/train/option_table.h"
#include "tools/commands.h"

namespace adjoint::tools {
namespace {

struct Command {
  const char* name;
  const char* summary;
  int (*run)(const Arguments& arguments);
};

constexpr std::array kCommands = {
    Command{"eval", "the loss of a model over a whole text, in order", &command_eval},
    Command{"generate", "text from a model", &command_generate},
    Command{"gradcheck", "every operator's derivatives against central differences",
            &command_gradcheck},
    Command{"inspect", "names, shapes and parameters of a model, by group", &command_inspect},
    Command{"tokenize", "text to tokens, and back", &command_tokenize},
    Command{"tokenizer", "makes a tokenizer from texts", &command_tokenizer},
};

std::string help() {
  std::string text = "usage: adjoint COMMAND [OPTION...]\n\nCommands:\n";
  for (const Command& command : kCommands) {
    std::string name = command.name;
    name.resize(12, ' ');
    text += "  " + name + command.summary + "\n";
  }
  return text +
         "\nadjoint COMMAND --help lists its options. Exit status: 0 done, 1 an error, 2 a "
         "command\n"
         "line that makes no sense.\n";
}

int run(const Arguments& arguments) {
  if (!arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h")) {
    std::cout << help();
    return 0;
  }
  if (!arguments.empty() && arguments[0] == "--version") {
    std::cout << train::version_line("adjoint") << "\n";
    return 0;
  }
  std::vector<std::string> names;
  std::string all;
  for (const Command& command : kCommands) {
    if (!arguments.empty() && arguments[0] == command.name) {
      return command.run(Arguments(arguments.begin() + 1, arguments.end()));
    }
    all += (names.empty() ? "" : ", ") + std::string(command.name);
    names.emplace_back(command.name);
  }
  check<train::UsageError>(!arguments.empty(), "no command; expected one of ", all, "; see --help");
  names.insert(names.end(), {"help", "version"});
  const size_t word = arguments[0].find_first_not_of('-');
  auto near = models::nearest(word == std::string::npos ? "" : arguments[0].substr(word), names);
  if (near && (*near == "help" || *near == "version")) near = "--" + *near;
  fail<train::UsageError>("unknown command '", arguments[0], "'",
                          near ? "; did you mean '" + *near + "'?" : "; see --help");
}

}  // namespace
}  // namespace adjoint::tools

int main(int argc, char** argv) {
  return adjoint::train::run_program("adjoint", [&] {
    return adjoint::tools::run({argv + 1, argv + argc});
  });
}
