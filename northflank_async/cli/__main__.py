from northflank_async.cli import main

main()
