// adjoint eval: the loss of a model over a whole text, in order.
#include <adjoint/data/text_corpus.h>
#include <adjoint/models/checkpoint.h>
#include <adjoint/models/gpt.h>
#include <adjoint/models/gpt_task.h>

#include <cmath>
#include <iostream>

#include "models/train/option_table.h"
#include "tools/commands.h"

namespace adjoint::tools {

int command_eval(const Arguments& arguments) {
  std::string model_dir;
  std::vector<std::string> paths;
  bool json = false;
  train::OptionTable table("adjoint eval",
                           "Prints the mean loss of a model over a whole text, in order.");
  table.add("model", &model_dir, "DIR", "a run, or one of its checkpoints");
  table.add("data", &paths, "PATH...", "files and folders of text");
  table.add("json", &json, "one object on stdout");
  switch (table.parse(arguments)) {
    case train::OptionTable::Outcome::help:
      std::cout << table.help();
      return 0;
    case train::OptionTable::Outcome::version:
      std::cout << train::version_line("adjoint eval") << "\n";
      return 0;
    case train::OptionTable::Outcome::print_config:
      std::cout << table.config();
      return 0;
    case train::OptionTable::Outcome::run:
      break;
  }
  check<train::UsageError>(!model_dir.empty(), "--model: missing; expected a run or a checkpoint");
  check<train::UsageError>(!paths.empty(), "--data: missing; expected files or folders of text");
  const models::FoundCheckpoint found = models::find_checkpoint(model_dir);
  for (const std::string& what : found.passed_over) {
    std::cerr << "adjoint eval: not whole, passed over: " << what << "\n";
  }
  models::Gpt model = models::Gpt::load(found.path);
  const auto tokenizer = data::CharTokenizer::load(found.path + "/tokenizer.json");
  const auto tokens = tokenizer.encode(data::TextCorpus::load(paths).joined(), "--data");
  model.eval();
  const double loss = models::mean_loss(model, tokens, model.config().block_size).value();
  const size_t targets = tokens.size() - 1;
  if (json) {
    std::cout << Json::object(
                     {{"loss", loss}, {"perplexity", std::exp(loss)}, {"targets", targets}})
                     .dump()
              << "\n";
  } else {
    std::cout << "loss " << loss << " nats a character, perplexity " << std::exp(loss) << ", over "
              << targets << " characters\n";
  }
  return 0;
}

}  // namespace adjoint::tools
