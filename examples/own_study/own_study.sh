# A study of your own by the command line, from the checkout's folder:  sh -e examples/own_study/own_study.sh
# docs/own-study.md walks through it. All that is written lies under multirun_outputs/.

# In place of what you have: models, word problems, somebody's solutions
python examples/own_study/make_inputs.py multirun_outputs/own_inputs

# Three models, a learning rate chosen for each, SFT, RFT and its control
rft plan --config-dir examples/own_study +study=own
rft run --config-dir examples/own_study +study=own
rft status multirun_outputs/own

# A fourth model
rft run --config-dir examples/own_study +study=own model=small-llama

# A second test set, for all cells
rft run --config-dir examples/own_study +study=own model=tiny-gpt2,tiny-neox,tiny-llama,small-llama eval.sets=[longer]

# Somebody's solutions as a donor, beside the model's own, and the control of that
rft run --config-dir examples/own_study +study=own model=tiny-llama data_frac=1 k=4 method=rft,sft_matched union=[tiny-llama,teacher] +pools.teacher.path=multirun_outputs/own_inputs/teacher.jsonl

# Figures and tables, predictions of the largest cells
rft plot multirun_outputs/own
rft plot multirun_outputs/own --test-set longer --figure sft_vs_data
rft predict multirun_outputs/own --hold-out model=small-llama
rft predict multirun_outputs/own --hold-out data_frac=1

# One cell for others
rft export multirun_outputs/own/tiny-llama_rft_f1_k4_s0-* --to multirun_outputs/own_export --form messages
