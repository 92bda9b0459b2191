"""Chat benchmarks that need a judge: what is asked, what the judge is shown, how its verdicts are read and summed up.

Pure: files of questions and records in, records and figures out. Knows no model, no judge and no stage.
"""
