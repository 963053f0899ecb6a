// adjoint eval: the loss of a model over a whole text, in order.
#include <adjoint/data/text_corpus.h>
#include <adjoint/models/gpt_task.h>

#include <cmath>
#include <iostream>

#include "models/train/option_table.h"
#include "models/train/saved_model.h"
#include "tools/commands.h"

namespace adjoint::tools {

int command_eval(const Arguments& arguments) {
  std::string model_dir;
  std::vector<std::string> paths;
  data::CorpusOptions corpus;
  bool json = false;
  train::OptionTable table("adjoint eval",
                           "Prints the mean loss of a model over a whole text, in order.");
  table.add("model", &model_dir, "DIR", "a run, or one of its checkpoints");
  table.add("data", &paths, "PATH", "files and folders of text");
  table.add("extensions", &corpus.extensions, ".EXT", "of a folder, only files with these endings");
  table.add("json", &json, "one object on stdout");
  if (table.answers(arguments)) return 0;
  check<train::UsageError>(!paths.empty(), "--data: missing; expected files or folders of text");
  auto [model, tokenizer] =
      train::load_saved_model(train::open_checkpoint("adjoint eval", "--model", model_dir));
  const auto tokens =
      tokenizer.encode(data::TextCorpus::load(paths, corpus).joined(), {.source = "--data"});
  const size_t targets = tokens.size() - 1;
  check<IoError>(targets > 0,
                 "--data: the text has one character; expected at least two, for each "
                 "is predicted from those before it");
  model->module().eval();
  const double loss = *models::mean_loss(*model, tokens, model->block_size());
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
